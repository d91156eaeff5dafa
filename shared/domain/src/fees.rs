//! EIP-1559 prices from a node's fee history, under a cap.

use serde::{Deserialize, Serialize};

use crate::network::Network;

/// How urgent a client says a transfer is; it also picks the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// May wait for cheap blocks.
    Low,
    /// The usual.
    #[default]
    Normal,
    /// As soon as can be.
    High,
}

impl Priority {
    /// Which percentile of recent tips it offers; `eth_feeHistory` is asked for exactly these.
    pub const PERCENTILES: [u8; 3] = [25, 50, 75];
}

/// What a node says of recent blocks (`eth_feeHistory`), in wei per gas.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FeeHistory {
    /// Base fee of the next block.
    pub next_base_fee_wei: u128,
    /// Tips of recent blocks at [`Priority::PERCENTILES`], oldest first; empty blocks report zeros.
    pub tips_wei: Vec<[u128; 3]>,
}

/// A transaction's price, in wei per gas (EIP-1559).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fees {
    /// `maxFeePerGas`.
    pub max_fee_wei: u128,
    /// `maxPriorityFeePerGas`.
    pub max_priority_wei: u128,
}

/// The network asks for more than its cap allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the network asks for {asked_wei} wei per gas, the cap is {cap_wei}")]
pub struct AboveCap {
    /// Next base fee and tip.
    pub asked_wei: u128,
    /// The network's cap.
    pub cap_wei: u128,
}

/// The median over recent blocks of the priority's percentile, under the network's cap.
fn tip(history: &FeeHistory, network: &Network, priority: Priority) -> u128 {
    let column = match priority {
        Priority::Low => 0,
        Priority::Normal => 1,
        Priority::High => 2,
    };
    let mut tips: Vec<u128> = history.tips_wei.iter().map(|row| row[column]).filter(|tip| *tip > 0).collect();
    tips.sort_unstable();
    let median = tips.get(tips.len() / 2).copied().unwrap_or(1);
    median.clamp(1, network.max_priority_fee_per_gas_wei.max(1))
}

/// Prices a transaction: the median over recent blocks of the priority's percentile as tip,
/// and room for the base fee to double (six full blocks), both under the network's caps.
pub fn price(history: &FeeHistory, network: &Network, priority: Priority) -> Result<Fees, AboveCap> {
    let tip = tip(history, network, priority);
    let asked_wei = history.next_base_fee_wei.saturating_add(tip);
    let cap_wei = network.max_fee_per_gas_wei;
    if asked_wei > cap_wei {
        return Err(AboveCap { asked_wei, cap_wei });
    }
    let roomy = history.next_base_fee_wei.saturating_mul(2).saturating_add(tip);
    Ok(Fees { max_fee_wei: roomy.min(cap_wei), max_priority_wei: tip })
}

/// Whether what is offered pays the next block and tips as the priority's percentile does: a higher price would not
/// bring it in sooner.
pub fn is_enough(fees: Fees, history: &FeeHistory, network: &Network, priority: Priority) -> bool {
    let tip = tip(history, network, priority);
    fees.max_priority_wei >= tip && fees.max_fee_wei >= history.next_base_fee_wei.saturating_add(tip)
}

/// Part of both fees that a replacement offers more. Nodes ask for a tenth (geth, Besu, Nethermind, Erigon, reth);
/// an eighth leaves room for their rounding.
const REPLACEMENT_PART: u128 = 8;

fn step(wei: u128) -> u128 {
    wei.saturating_add(wei.div_ceil(REPLACEMENT_PART))
}

/// What is replaced, which says how far above the network's caps it may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Replacement {
    /// A payment by a dearer one: never above the cap of the fee.
    Payment,
    /// A payment by a no-op, which costs the least gas there is: a step above whatever the payment offers, so that all that
    /// was ever signed can be cancelled, also after the cap was lowered.
    NoOp,
    /// A no-op by a dearer one: no further than a step above what a payment may offer.
    DearerNoOp,
    /// What was told as paid before by a dearer attempt, above all that a no-op may offer; a no-op by it a step above that
    /// one whatever it offers, so that it can win.
    ToldAsPaid {
        /// Whether it is to take a no-op's place.
        over_no_op: bool,
    },
}

impl Replacement {
    /// The most that it may offer. What the market asks for as a tip is held under the tip's cap when a transaction is
    /// priced; what nodes ask for to replace one may take the tip to twice that cap: a base fee that rises must not leave
    /// what tips as much as it may without a remedy.
    fn ceiling(self, before: Fees, network: &Network) -> Fees {
        let above = |cap: u128, before: u128| match self {
            Self::Payment => cap,
            Self::NoOp => step(cap).max(step(before)),
            Self::DearerNoOp => step(cap),
            Self::ToldAsPaid { over_no_op: false } => step(step(cap)),
            Self::ToldAsPaid { over_no_op: true } => step(step(cap)).max(step(before)),
        };
        let tip = network.max_priority_fee_per_gas_wei.max(1).saturating_mul(2);
        Fees {
            max_fee_wei: above(network.max_fee_per_gas_wei, before.max_fee_wei),
            max_priority_wei: above(tip, before.max_priority_wei),
        }
    }

    /// Prices a replacement of an attempt with `before` as its fees: what the `market` asks now, and in both fees at least
    /// the step that nodes require. A no-op needs no more than that step where the market is above the cap, or nobody tells
    /// it: it only has to take the payment's place. `None` where the step or the market is above what it may offer.
    pub fn price(self, before: Fees, market: Option<Fees>, network: &Network) -> Option<Fees> {
        let market = match (self, market) {
            (_, Some(market)) => market,
            (Self::NoOp | Self::DearerNoOp, None) => before,
            (Self::Payment | Self::ToldAsPaid { .. }, None) => return None,
        };
        let ceiling = self.ceiling(before, network);
        let max_fee_wei = step(before.max_fee_wei).max(market.max_fee_wei);
        let max_priority_wei = step(before.max_priority_wei).max(market.max_priority_wei);
        let within = max_fee_wei <= ceiling.max_fee_wei && max_priority_wei <= ceiling.max_priority_wei;
        within.then_some(Fees { max_fee_wei, max_priority_wei })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Networks;

    const TOLD_AS_PAID: Replacement = Replacement::ToldAsPaid { over_no_op: false };

    fn network() -> Network {
        let file = include_str!("../../../infra/networks.toml");
        Networks::parse(file, &["ethereum"]).expect("valid").get("ethereum").expect("there").clone()
    }

    #[test]
    fn takes_the_median_of_the_priority_and_doubles_the_base() {
        let history = FeeHistory {
            next_base_fee_wei: 10_000_000_000,
            tips_wei: vec![[1, 5_000, 9_000], [2, 6_000, 8_000], [0, 0, 0], [3, 7_000, 10_000]],
        };
        let fees = price(&history, &network(), Priority::Normal).expect("below the cap");
        assert_eq!(fees, Fees { max_fee_wei: 20_000_006_000, max_priority_wei: 6_000 });
    }

    #[test]
    fn a_base_fee_above_the_cap_is_an_answer_of_its_own() {
        let history = FeeHistory { next_base_fee_wei: 300_000_000_000, tips_wei: vec![] };
        assert_eq!(
            price(&history, &network(), Priority::High),
            Err(AboveCap { asked_wei: 300_000_000_001, cap_wei: 300_000_000_000 })
        );
    }

    #[test]
    fn what_pays_the_next_block_and_the_usual_tip_is_enough() {
        let history = FeeHistory { next_base_fee_wei: 100, tips_wei: vec![[1, 5, 9]] };
        let fees = |max_fee_wei, max_priority_wei| Fees { max_fee_wei, max_priority_wei };
        let enough = |fees| is_enough(fees, &history, &network(), Priority::Normal);
        assert!(enough(fees(105, 5)));
        assert!(!enough(fees(104, 5)), "the base fee has risen");
        assert!(!enough(fees(200, 4)), "others tip more");
    }

    fn replaced(what: Replacement, before: Fees, market: Fees) -> Option<Fees> {
        what.price(before, Some(market), &network())
    }

    #[test]
    fn a_replacement_offers_the_step_even_where_the_market_fell() {
        let before = Fees { max_fee_wei: 8_000, max_priority_wei: 801 };
        for what in [Replacement::Payment, Replacement::NoOp, TOLD_AS_PAID] {
            let market = Fees { max_fee_wei: 10, max_priority_wei: 1 };
            let fees = Fees { max_fee_wei: 9_000, max_priority_wei: 902 };
            assert_eq!(replaced(what, before, market), Some(fees));
            let market = Fees { max_fee_wei: 20_000, max_priority_wei: 1 };
            let fees = Fees { max_fee_wei: 20_000, max_priority_wei: 902 };
            assert_eq!(replaced(what, before, market), Some(fees));
        }
    }

    #[test]
    fn a_tip_at_its_cap_can_still_be_replaced_where_the_base_fee_rose() {
        let (gwei, market) = (1_000_000_000, Fees { max_fee_wei: 205_000_000_000, max_priority_wei: 5_000_000_000 });
        let before = Fees { max_fee_wei: 45 * gwei, max_priority_wei: 5 * gwei };
        let fees = Fees { max_fee_wei: 205 * gwei, max_priority_wei: 5_625_000_000 };
        assert_eq!(replaced(Replacement::Payment, before, market), Some(fees));
        let before = Fees { max_fee_wei: 45 * gwei, max_priority_wei: 10 * gwei };
        assert_eq!(replaced(Replacement::Payment, before, market), None, "twice the cap is the end");
    }

    #[test]
    fn whatever_a_payment_may_offer_a_no_op_can_replace_and_that_the_payment_which_was_told_as_paid() {
        let (network, low) = (network(), Fees { max_fee_wei: 10, max_priority_wei: 1 });
        let highest = Replacement::Payment.ceiling(low, &network);
        assert_eq!(replaced(Replacement::Payment, highest, low), None);
        let no_op = replaced(Replacement::NoOp, highest, low).expect("a step above it");
        assert_eq!(
            Replacement::NoOp.price(highest, None, &network),
            Some(no_op),
            "also where no block would take it now"
        );
        assert_eq!(replaced(Replacement::DearerNoOp, no_op, low), None);
        assert!(replaced(TOLD_AS_PAID, no_op, low).is_some());
        for what in [Replacement::Payment, TOLD_AS_PAID] {
            assert_eq!(what.price(low, None, &network), None, "it waits until fees are below the cap");
        }
    }

    #[test]
    fn what_was_signed_above_a_cap_that_was_lowered_since_can_be_cancelled_and_is_not_raised() {
        let low = Fees { max_fee_wei: 10, max_priority_wei: 1 };
        let before = Fees { max_fee_wei: 900_000_000_000, max_priority_wei: 80_000_000_000 };
        let stepped = Fees { max_fee_wei: 1_012_500_000_000, max_priority_wei: 90_000_000_000 };
        assert_eq!(replaced(Replacement::NoOp, before, low), Some(stepped));
        assert_eq!(Replacement::NoOp.price(before, None, &network()), Some(stepped));
        for what in [Replacement::Payment, Replacement::DearerNoOp, TOLD_AS_PAID] {
            assert_eq!(replaced(what, before, low), None, "{what:?}");
        }
        let over_no_op = Replacement::ToldAsPaid { over_no_op: true };
        assert_eq!(replaced(over_no_op, before, low), Some(stepped), "its recipient was told");
    }

    proptest! {
        #[test]
        fn a_replacement_is_one_for_every_node_or_above_what_it_may_offer(
            max_fee_wei in 1..400_000_000_000_u128, tip in 1..12_000_000_000_u128, market in 1..300_000_000_000_u128,
        ) {
            let network = network();
            let before = Fees { max_fee_wei: max_fee_wei.max(tip), max_priority_wei: tip };
            let market = Fees { max_fee_wei: market, max_priority_wei: 1 };
            for what in [Replacement::Payment, Replacement::NoOp, Replacement::DearerNoOp, TOLD_AS_PAID] {
                if let Some(fees) = what.price(before, Some(market), &network) {
                    prop_assert!(fees.max_fee_wei * 10 >= before.max_fee_wei * 11);
                    prop_assert!(fees.max_priority_wei * 10 >= before.max_priority_wei * 11);
                    prop_assert!(fees.max_priority_wei <= fees.max_fee_wei);
                    // Whatever a payment offered, under whichever cap, a no-op may offer the step more.
                    let above = |before| if what == Replacement::NoOp { step(before) } else { 0 };
                    let over = if what == Replacement::Payment { 0 } else { 1 };
                    let (cap, tip) = (network.max_fee_per_gas_wei, network.max_priority_fee_per_gas_wei);
                    prop_assert!(fees.max_fee_wei <= (cap * (10 + 3 * over) / 10).max(above(before.max_fee_wei)));
                    prop_assert!(fees.max_priority_wei <= (tip * (20 + 6 * over) / 10).max(above(before.max_priority_wei)));
                }
            }
        }

        #[test]
        fn never_above_the_caps_and_never_below_the_base(base in 0..400_000_000_000_u128, tip in 0..u128::MAX) {
            let network = network();
            let history = FeeHistory { next_base_fee_wei: base, tips_wei: vec![[tip; 3]] };
            if let Ok(fees) = price(&history, &network, Priority::Normal) {
                prop_assert!(fees.max_fee_wei <= network.max_fee_per_gas_wei);
                prop_assert!(fees.max_priority_wei <= network.max_priority_fee_per_gas_wei);
                prop_assert!(fees.max_fee_wei >= base.saturating_add(fees.max_priority_wei));
            }
        }
    }
}
