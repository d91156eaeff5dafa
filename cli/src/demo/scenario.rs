//! The 20 withdrawals: what each asks for, and what must come of it.

use alloy_primitives::{Address, keccak256};
use causeway_domain::{Amount, Asset, parcel::Progress};
use serde_json::{Value, json};

use super::{NETWORK, prepare::Treasury};
use crate::assets;

/// A demo user, one of each tenant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum User {
    Alice,
    Bob,
    /// Her tenant's treasury has an imported key.
    Carol,
}

impl User {
    pub(super) const ALL: [Self; 3] = [Self::Alice, Self::Bob, Self::Carol];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Alice => "alice",
            Self::Bob => "bob",
            Self::Carol => "carol",
        }
    }

    pub(super) const fn tenant(self) -> &'static str {
        match self {
            Self::Alice => "acme",
            Self::Bob => "globex",
            Self::Carol => "initech",
        }
    }
}

/// What a scenario does.
#[derive(Debug, Clone)]
pub(super) enum Act {
    /// One withdrawal.
    Withdraw(Value),
    /// The same withdrawal twice with the same key, which must give the same id.
    WithdrawTwice(Value),
    /// One transfer through the other surface.
    Transfer(Value),
    /// A withdrawal by somebody, whose id this user then asks for.
    LookAtOthers {
        /// Whose it is.
        owner: User,
        /// What they ask for.
        body: Value,
    },
}

/// What the chain must be told beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Blacklist {
    /// Nothing.
    Clean,
    /// The recipient is on the token's blacklist, and simulations see it.
    Seen,
    /// The recipient is on it, and simulations do not see it.
    Hidden,
}

/// What must come of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Expected {
    /// Refused at the door with this answer.
    Refused { status: u16, code: &'static str, field: Option<&'static str> },
    /// Taken, and ended like this.
    Ends(Progress),
}

/// One of the 20.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) name: &'static str,
    pub(super) user: User,
    pub(super) act: Act,
    pub(super) blacklist: Blacklist,
    pub(super) expected: Expected,
    /// Who is paid, and so what recognises it in lists and on chain.
    pub(super) to: Address,
    /// What the recipient must hold in the end.
    pub(super) pays: Option<(Asset, Amount)>,
}

const fn refused(status: u16, code: &'static str, field: &'static str) -> Expected {
    Expected::Refused { status, code, field: Some(field) }
}

/// Builds scenarios whose recipients belong to this run alone.
struct Script<'a> {
    run: &'a str,
    treasuries: &'a [Treasury],
    scenarios: Vec<Scenario>,
}

impl Script<'_> {
    /// An address that nobody has a key of, and that no other scenario or run pays.
    fn recipient(&self, name: &str) -> Address {
        Address::from_slice(&keccak256(format!("causeway demo {} {name}", self.run))[12..])
    }

    fn add(
        &mut self,
        name: &'static str,
        user: User,
        expected: Expected,
        act: impl FnOnce(Address) -> Act,
    ) -> &mut Scenario {
        let to = self.recipient(name);
        let scenario = Scenario { name, user, act: act(to), blacklist: Blacklist::Clean, expected, to, pays: None };
        self.scenarios.push(scenario);
        let last = self.scenarios.len() - 1;
        &mut self.scenarios[last]
    }

    /// A withdrawal that goes through.
    fn good(&mut self, name: &'static str, user: User, symbol: &str, amount: &str) {
        self.add(name, user, Expected::Ends(Progress::Confirmed), |to| Act::Withdraw(withdrawal(symbol, amount, to)))
            .pays = paid(symbol, amount);
    }

    /// A withdrawal that is refused at the door.
    fn bad(&mut self, name: &'static str, user: User, expected: Expected, body: impl FnOnce(Address) -> Value) {
        self.add(name, user, expected, |to| Act::Withdraw(body(to)));
    }

    /// A transfer through the other surface, from the tenant's treasury.
    fn transfer(&mut self, name: &'static str, user: User, priority: &str, symbol: &str, amount: &str) {
        let from = self.treasuries.iter().find(|treasury| treasury.user == user).map(|treasury| treasury.address);
        let body = |to| json!({"from": from, "to": to, "amount": amount, "token": symbol, "priority": priority});
        self.add(name, user, Expected::Ends(Progress::Confirmed), |to| Act::Transfer(body(to))).pays =
            paid(symbol, amount);
    }
}

/// All 20, with recipients of this run.
pub(super) fn all(run: &str, treasuries: &[Treasury]) -> Vec<Scenario> {
    let mut script = Script { run, treasuries, scenarios: Vec::new() };
    good_ones(&mut script);
    bad_ones(&mut script);
    odd_ones(&mut script);
    script.scenarios
}

fn good_ones(script: &mut Script<'_>) {
    script.good("native coin", User::Alice, "ETH", "0.25");
    script.good("the smallest unit there is", User::Alice, "ETH", "0.000000000000000001");
    script.good("token of 6 decimals", User::Alice, "TUSD", "12.5");
    script.good("token that returns nothing", User::Alice, "TUSDT", "3.000001");
    script.good("token with a blacklist", User::Alice, "TBLK", "7");
    script.good("native coin, imported key", User::Carol, "ETH", "0.1");
    script.transfer("transfer of high priority", User::Bob, "high", "TUSD", "4.2");
    script.transfer("transfer of low priority, imported key", User::Carol, "low", "TUSD", "1");
}

/// EIP-55's first example with one letter's case changed.
const WRONG_CHECKSUM: &str = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1Beaed";

fn bad_ones(script: &mut Script<'_>) {
    let invalid = |field| refused(400, "VALIDATION_ERROR", field);
    script.bad("address with a wrong checksum", User::Alice, invalid("toAddress"), |_| {
        with(withdrawal("ETH", "1", Address::ZERO), "toAddress", WRONG_CHECKSUM)
    });
    script.bad("amount that is no number", User::Alice, invalid("amount"), |to| withdrawal("TUSD", "-1", to));
    script.bad("amount finer than the token", User::Alice, invalid("amount"), |to| withdrawal("TUSD", "0.0000001", to));
    script.bad("unknown token", User::Alice, refused(400, "UNKNOWN_TOKEN", "tokenAddress"), |to| {
        with(withdrawal("TUSD", "1", to), "tokenAddress", Address::repeat_byte(0x11).to_string())
    });
    script.bad("unknown network", User::Alice, refused(400, "UNKNOWN_NETWORK", "network"), |to| {
        with(withdrawal("TUSD", "1", to), "network", "nowhere")
    });
    script.bad("unknown field", User::Alice, invalid("memo"), |to| {
        with(withdrawal("TUSD", "1", to), "memo", "for lunch")
    });
    script.bad("more than there is", User::Bob, refused(402, "INSUFFICIENT_FUNDS", "amount"), |to| {
        withdrawal("TUSD", "99999", to)
    });
    script.bad("more than is allowed at once", User::Alice, refused(400, "LIMIT_EXCEEDED", "amount"), |to| {
        withdrawal("TUSD", "100000.01", to)
    });
}

fn odd_ones(script: &mut Script<'_>) {
    let confirmed = Expected::Ends(Progress::Confirmed);
    let twice = script
        .add("the same request twice", User::Alice, confirmed, |to| Act::WithdrawTwice(withdrawal("TUSD", "2", to)));
    twice.pays = paid("TUSD", "2");
    let others = script.add("another tenant's withdrawal", User::Bob, refused(404, "NOT_FOUND", "id"), |to| {
        Act::LookAtOthers { owner: User::Alice, body: withdrawal("TUSD", "0.5", to) }
    });
    others.pays = paid("TUSD", "0.5");
    let seen = |to| Act::Withdraw(withdrawal("TBLK", "5", to));
    script.add("recipient on the blacklist", User::Alice, Expected::Ends(Progress::Rejected), seen).blacklist =
        Blacklist::Seen;
    let hidden = |to| Act::Withdraw(withdrawal("TBLK", "6", to));
    script.add("blacklist that only the chain sees", User::Alice, Expected::Ends(Progress::Failed), hidden).blacklist =
        Blacklist::Hidden;
}

fn withdrawal(symbol: &str, amount: &str, to: Address) -> Value {
    // Symbols are of the demo's own list, which a test holds against the networks' file.
    let token = assets::find(NETWORK, symbol).map(|asset| asset.address).unwrap_or_default();
    json!({"amount": amount, "toAddress": to, "tokenAddress": token, "network": NETWORK})
}

fn with(mut body: Value, field: &str, value: impl Into<Value>) -> Value {
    body[field] = value.into();
    body
}

fn paid(symbol: &str, amount: &str) -> Option<(Asset, Amount)> {
    let asset = assets::find(NETWORK, symbol).ok()?;
    let amount = Amount::parse(amount, asset.decimals).ok()?;
    Some((asset, amount))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn scenarios() -> Vec<Scenario> {
        let treasury = |user| Treasury { user, address: Address::repeat_byte(1), assets: Vec::new() };
        all("test", &User::ALL.map(treasury))
    }

    #[test]
    fn there_are_twenty_and_each_is_its_own() {
        let scenarios = scenarios();
        assert_eq!(scenarios.len(), 20);
        let names: HashSet<_> = scenarios.iter().map(|scenario| scenario.name).collect();
        let recipients: HashSet<_> = scenarios.iter().map(|scenario| scenario.to).collect();
        assert_eq!((names.len(), recipients.len()), (20, 20));
    }

    #[test]
    fn whoever_ends_confirmed_is_paid_and_nobody_else() {
        for scenario in scenarios() {
            let taken = match &scenario.act {
                Act::LookAtOthers { .. } => true,
                Act::Withdraw(_) | Act::WithdrawTwice(_) | Act::Transfer(_) => {
                    scenario.expected == Expected::Ends(Progress::Confirmed)
                }
            };
            assert_eq!(scenario.pays.is_some(), taken, "{}", scenario.name);
        }
    }

    #[test]
    fn the_wrong_checksum_is_wrong() {
        assert!(WRONG_CHECKSUM.parse::<Address>().is_ok(), "it is an address");
        assert!(Address::parse_checksummed(WRONG_CHECKSUM, None).is_err(), "its checksum does not hold");
    }

    #[test]
    fn every_transfer_names_a_treasury() {
        for scenario in scenarios() {
            if let Act::Transfer(body) = &scenario.act {
                assert!(body["from"].is_string(), "{}", scenario.name);
            }
        }
    }
}
