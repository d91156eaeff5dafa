//! Failures of one question, and the error they make together.

use super::{provider::Provider, transport::Failure};
use crate::{port::ChainError, revert::printable};

/// Characters of one provider's failure that are kept.
const FAILURE_CHARS_MAX: usize = 200;

/// What each asked provider did instead of answering.
#[derive(Debug, Default)]
pub(super) struct Tally {
    lines: Vec<String>,
    lost: usize,
    nonsense: usize,
    after_ms: Option<u64>,
}

impl Tally {
    pub(super) fn note(&mut self, provider: &Provider, failure: Failure) {
        let words = printable(&failure.to_string(), FAILURE_CHARS_MAX);
        self.lines.push(format!("{}: {words}", provider.name));
        match failure {
            Failure::Lost(_) | Failure::Node(_) => self.lost += 1,
            Failure::Nonsense(_) => self.nonsense += 1,
            Failure::Limited { after_ms } => {
                self.after_ms = [self.after_ms, after_ms].into_iter().flatten().min();
            }
        }
    }

    /// Limited or nonsense only if that is all there was.
    pub(super) fn into_error(self, network: &str) -> ChainError {
        let network = network.to_owned();
        let detail = self.lines.join("; ");
        if self.lost == 0 && self.nonsense == 0 && !self.lines.is_empty() {
            return ChainError::Limited { network, after_ms: self.after_ms };
        }
        if self.nonsense == self.lines.len() && self.nonsense > 0 {
            return ChainError::Nonsense { network, detail };
        }
        ChainError::Unavailable { network, detail }
    }
}
