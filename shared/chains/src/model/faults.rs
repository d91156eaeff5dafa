//! The hook by which a test or the simulation makes the network misbehave.

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing goes wrong.
    Pass,
    /// The call never arrives: no answer, without effect.
    FailBefore,
    /// The call takes effect and its reply is lost. For a question it is the same as [`Fault::FailBefore`].
    LoseReply,
    /// The reply is lost, and bytes arrive only at [`ModelChain::land`](super::ModelChain::land), after the caller has
    /// gone on. For a question it is the same as [`Fault::FailBefore`].
    Delay,
    /// Every provider limits us.
    Limit {
        /// What they ask us to wait.
        after_ms: Option<u64>,
    },
}

/// Decides the fate of each call, by the port method's name.
pub trait ChainFaults: Send + Sync {
    /// What becomes of this call.
    fn on(&self, call: &'static str) -> Fault;
}

/// Nothing ever goes wrong.
#[derive(Debug)]
pub(super) struct NoFaults;

impl ChainFaults for NoFaults {
    fn on(&self, _call: &'static str) -> Fault {
        Fault::Pass
    }
}
