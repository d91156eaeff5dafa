//! What a run sends: each request follows from the seed and its number alone.

use std::sync::Mutex;

use alloy_primitives::{Address, keccak256};
use causeway_domain::{Amount, parcel::Progress};
use serde_json::json;
use tokio::time::Instant;

use crate::{
    api::{Call, Surface},
    assets,
    commands::transfers::Priority,
    error::CliError,
};

/// A whole run.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) count: u64,
    pub(super) rate: Option<u64>,
    pub(super) concurrency: usize,
    pub(super) surface: Surface,
    pub(super) from: Option<String>,
    pub(super) network: String,
    pub(super) token: String,
    pub(super) contract: String,
    pub(super) amount: AmountRange,
    pub(super) priority: Option<Priority>,
    pub(super) seed: String,
}

/// The amounts of a run, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AmountRange {
    low: Amount,
    high: Amount,
    decimals: u8,
}

/// One request and what was seen of it.
#[derive(Debug)]
pub(super) struct Sample {
    pub(super) to: Address,
    pub(super) seen: Mutex<Seen>,
}

/// What was seen of a request, and when, by this process's clock.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) sent: Option<Instant>,
    pub(super) answered: Option<Instant>,
    /// The code of a refusal.
    pub(super) refused: Option<String>,
    pub(super) broadcast: Option<Instant>,
    pub(super) included: Option<Instant>,
    pub(super) ended: Option<(Instant, Progress)>,
}

impl AmountRange {
    /// Reads `5` or `1..5`.
    pub(super) fn parse(text: &str, network: &str, token: &str) -> Result<Self, CliError> {
        let decimals = assets::find(network, token)?.decimals;
        let (low, high) = text.split_once("..").unwrap_or((text, text));
        let read = |part: &str| {
            Amount::parse(part, decimals).map_err(|error| CliError::Usage(format!("--amount: '{part}' {error}")))
        };
        let range = Self { low: read(low)?, high: read(high)?, decimals };
        if range.low > range.high {
            return Err(CliError::Usage(format!("--amount: {low} is above {high}")));
        }
        Ok(range)
    }

    /// The amount of a request, drawn by its own hash.
    fn draw(&self, hash: [u8; 32]) -> String {
        let mut half = [0_u8; 16];
        half.copy_from_slice(&hash[..16]);
        let span = self.high.units() - self.low.units() + 1;
        let units = self.low.units() + u128::from_be_bytes(half) % span;
        Amount::new(units).unwrap_or(self.low).format(self.decimals)
    }
}

impl Plan {
    /// A sample for each request.
    pub(super) fn samples(&self) -> Vec<Sample> {
        let sample = |number| Sample { to: self.recipient(number), seen: Mutex::default() };
        (0..self.count).map(sample).collect()
    }

    /// The request of this number.
    pub(super) fn call(&self, number: u64) -> Call {
        let key = format!("load-{}-{number}", self.seed);
        let to = self.recipient(number);
        let amount = self.amount.draw(self.hash("amount", number));
        match self.surface {
            Surface::Withdrawal => {
                let body =
                    json!({"amount": amount, "toAddress": to, "tokenAddress": self.contract, "network": self.network});
                Call::post(&["withdrawal", "request"], body).keyed(&key)
            }
            Surface::Transfer => {
                let priority = self.priority.unwrap_or(Priority::Normal).as_str();
                let body = json!({
                    "from": self.from, "to": to, "amount": amount, "token": self.token, "network": self.network,
                    "priority": priority, "idempotencyKey": key,
                });
                Call::post_repeatable(&["api", "v1", "transfers"], body)
            }
        }
    }

    /// An address that follows from seed and number, and whose key nobody has.
    fn recipient(&self, number: u64) -> Address {
        Address::from_slice(&self.hash("recipient", number)[12..])
    }

    fn hash(&self, what: &str, number: u64) -> [u8; 32] {
        keccak256(format!("causeway load {what} {number} {}", self.seed)).0
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn plan(seed: &str) -> Plan {
        Plan {
            count: 500,
            rate: None,
            concurrency: 1,
            surface: Surface::Withdrawal,
            from: None,
            network: "local".to_owned(),
            token: "TUSD".to_owned(),
            contract: "0x".to_owned(),
            amount: AmountRange::parse("1..2.5", "local", "TUSD").expect("a range"),
            priority: None,
            seed: seed.to_owned(),
        }
    }

    #[test]
    fn a_seed_decides_everything() {
        let recipients = |seed: &str| plan(seed).samples().iter().map(|sample| sample.to).collect::<Vec<_>>();
        assert_eq!(recipients("a"), recipients("a"));
        let all: HashSet<Address> = recipients("a").into_iter().chain(recipients("b")).collect();
        assert_eq!(all.len(), 1000, "every request has a recipient of its own");
    }

    #[test]
    fn amounts_stay_in_their_range() {
        let plan = plan("a");
        let (low, high) = (1_000_000, 2_500_000);
        let amounts: HashSet<u128> = (0..500)
            .map(|number| Amount::parse(&plan.amount.draw(plan.hash("amount", number)), 6).expect("an amount").units())
            .collect();
        assert!(amounts.iter().all(|units| (low..=high).contains(units)));
        assert!(amounts.len() > 400, "they are drawn, not fixed");
    }

    #[test]
    fn a_range_that_cannot_be_is_refused() {
        for text in ["0", "2..1", "1..", "0.0000001", "x"] {
            assert!(AmountRange::parse(text, "local", "TUSD").is_err(), "{text:?}");
        }
        assert_eq!(AmountRange::parse("3", "local", "TUSD").expect("one amount").draw([7; 32]), "3");
    }
}
