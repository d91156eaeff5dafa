//! How bad it is: each class of faults has a rate of its own, which the seed draws.

use crate::clock::SimClock;

/// A class of faults, to leave out of a story that breaks a rule: what is left explains it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Handlers, trackers, and the doors of clients and operators are killed.
    Kills,
    /// Commits fail, before or after their effect.
    Commits,
    /// Reads fail.
    Reads,
    /// Publishes fail.
    Publishes,
    /// Keys are out of reach.
    Keys,
    /// Keys refuse to sign.
    Denials,
    /// Signatures are lost after they were made.
    Signatures,
    /// Questions to nodes fail.
    Calls,
    /// Nodes lag, lie still, or know half.
    Nodes,
    /// Nodes refuse a transaction for good.
    Refusals,
    /// Waiting transactions are forgotten.
    Pool,
    /// Indexes lag.
    Indexes,
    /// Commits' tokens are forgotten.
    Tokens,
    /// Messages come again.
    Repeats,
    /// Messages come in other orders than sent.
    Order,
    /// Messages come late.
    Late,
    /// Messages become visible again while their first holder works.
    Held,
    /// The chain turns to other branches.
    Branches,
    /// Fees jump.
    Fees,
    /// What treasuries were promised is paid in only then.
    Funds,
    /// Treasuries lose the coins that they pay for gas with.
    Gas,
    /// People block tenants, lanes and networks, and unblock them.
    Switches,
    /// Operators credit and debit, refund, replay and discard, cancel, and open lanes.
    People,
    /// Clients cancel, look, and use a key for something else.
    Clients,
    /// Every function's clock is off, and jumps.
    Skew,
    /// Nobody tracks for a while.
    Silence,
    /// One more than usual tracks.
    Doubled,
    /// Nodes stay on branches that the others left, or begin again with an older head.
    Views,
    /// A branch goes below what is final.
    Deep,
    /// Somebody else who has a lane's key uses its numbers.
    Strangers,
    /// Blocks come, and branches, between two awaits of what is under way.
    Meanwhile,
    /// Handlers and trackers are held up for a while, and go on as if nothing had happened.
    Stalls,
    /// Queues lose all that is in them.
    Purges,
    /// Others' writes stand in a commit's way.
    Contended,
    /// Broadcasts fail, before or after their effect.
    Broadcasts,
    /// Nodes limit us.
    Limits,
    /// Nodes have some, or none, of a block's receipts, or those of new blocks without their logs.
    Receipts,
    /// Nodes tell blocks without transactions, lose what they take, or say that numbers are free.
    Lies,
    /// Keys refuse to sign until the storm is over.
    Denied,
    /// A tracker's time is up: it gives its lease back, and keeps what it was looking at.
    Endings,
}

impl Class {
    /// All of them.
    pub const ALL: [Self; 40] = [
        Self::Kills,
        Self::Commits,
        Self::Reads,
        Self::Publishes,
        Self::Keys,
        Self::Denials,
        Self::Signatures,
        Self::Calls,
        Self::Nodes,
        Self::Refusals,
        Self::Pool,
        Self::Indexes,
        Self::Tokens,
        Self::Repeats,
        Self::Order,
        Self::Late,
        Self::Held,
        Self::Branches,
        Self::Fees,
        Self::Funds,
        Self::Gas,
        Self::Switches,
        Self::People,
        Self::Clients,
        Self::Skew,
        Self::Silence,
        Self::Doubled,
        Self::Views,
        Self::Deep,
        Self::Strangers,
        Self::Meanwhile,
        Self::Stalls,
        Self::Purges,
        Self::Contended,
        Self::Broadcasts,
        Self::Limits,
        Self::Receipts,
        Self::Lies,
        Self::Denied,
        Self::Endings,
    ];

    /// Its name, as `WITHOUT` takes it.
    pub fn name(self) -> String {
        format!("{self:?}").to_lowercase()
    }

    /// The names of those whose bits these are.
    pub fn names(bits: u64) -> String {
        let among = Self::ALL.into_iter().filter(|class| bits & class.bit() != 0);
        among.map(Self::name).collect::<Vec<_>>().join(",")
    }

    /// The bits of those that are named; `None` where a name is not known.
    pub fn parse_all(names: &str) -> Option<u64> {
        let bit = |name: &str| Self::ALL.into_iter().find(|class| class.name() == name).map(Self::bit);
        names.split(',').filter(|name| !name.is_empty()).try_fold(0, |bits, name| Some(bits | bit(name)?))
    }

    /// Its bit in [`Weather::without`].
    pub const fn bit(self) -> u64 {
        1 << self as u16
    }

    /// How often it usually strikes, in thousandths of what it may strike (handlers, commits, messages, steps …): from, to.
    const fn usual(self) -> (u64, u64) {
        match self {
            Self::Kills => (20, 100),
            Self::Commits | Self::Publishes | Self::Keys | Self::Calls | Self::Broadcasts => (20, 60),
            Self::Reads => (5, 15),
            Self::Denials | Self::Signatures | Self::Refusals => (5, 20),
            Self::Nodes | Self::Pool | Self::Indexes | Self::Tokens | Self::Held | Self::Fees | Self::Doubled => {
                (20, 60)
            }
            Self::Repeats | Self::Late => (20, 80),
            Self::Order => (200, 800),
            Self::Branches => (0, 0),
            Self::Funds | Self::Switches | Self::Views => (10, 30),
            Self::Gas => (5, 15),
            Self::Endings => (10, 40),
            Self::People => (80, 240),
            Self::Clients => (50, 250),
            Self::Skew => (5, 15),
            Self::Silence | Self::Strangers | Self::Purges => (2, 8),
            Self::Meanwhile => (100, 300),
            Self::Stalls => (20, 60),
            Self::Contended | Self::Limits => (5, 20),
            Self::Receipts => (250, 500),
            Self::Lies => (25, 75),
            Self::Denied => (1, 4),
            Self::Deep => (0, 0),
        }
    }
}

/// How bad it is.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    rates: [u64; Class::ALL.len()],
    /// Blocks of the deepest branch.
    pub depth_max: u64,
    /// Whether branches go below what is final: one in the middle of the storm, one once all have ended.
    pub deep: bool,
    /// Classes of faults that do not strike, by [`Class::bit`]. Chance is asked all the same, so the rest stays as it is.
    pub without: u64,
}

impl Weather {
    /// What this chance draws: of each class nothing in one case of five, and half, once or twice what is usual.
    pub fn drawn(chance: &SimClock) -> Self {
        let (branches, depth_max) = match chance.below(3) {
            0 => (0, 1),
            1 => (60, 2),
            _ => (20 + chance.below(40), 3 + chance.below(6)),
        };
        let rates = Class::ALL.map(|class| {
            let (from, to) = class.usual();
            let usual = from + chance.below(to + 1 - from);
            [0, usual / 2, usual, usual, usual * 2][usize::try_from(chance.below(5)).unwrap_or(2)]
        });
        Self { rates, depth_max, deep: chance.chance(200), without: 0 }.with(Class::Branches, branches)
    }

    /// Every class as often as is usual, and no branches.
    pub fn usual() -> Self {
        let rates = Class::ALL.map(|class| class.usual().0.midpoint(class.usual().1));
        Self { rates, depth_max: 1, deep: false, without: 0 }
    }

    /// The same with another rate of a class, in thousandths.
    pub const fn with(mut self, class: Class, rate: u64) -> Self {
        self.rates[class as usize] = rate;
        self
    }

    /// The same without these classes, by their bits, and those that are left out already.
    pub const fn without(mut self, classes: u64) -> Self {
        self.without |= classes;
        self
    }

    /// The same with branches so deep at most.
    pub const fn as_deep_as(mut self, depth_max: u64) -> Self {
        self.depth_max = depth_max;
        self
    }

    /// How often a class strikes, in thousandths; 0 where it is left out.
    pub const fn rate(&self, class: Class) -> u64 {
        if self.has(class) { self.rates[class as usize] } else { 0 }
    }

    /// Whether a class is not left out.
    pub const fn has(&self, class: Class) -> bool {
        self.without & class.bit() == 0
    }
}
