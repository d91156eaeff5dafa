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

/// Prices a replacement of an attempt with `before` as its fees: what the market asks now, and in both fees at least
/// the step that nodes require. An error where that step is above a cap of the network.
pub fn replacement(before: Fees, market: Fees, network: &Network) -> Result<Fees, AboveCap> {
    let step = |wei: u128| wei.saturating_add(wei.div_ceil(REPLACEMENT_PART));
    let under = |asked_wei: u128, cap_wei: u128| {
        if asked_wei > cap_wei { Err(AboveCap { asked_wei, cap_wei }) } else { Ok(asked_wei) }
    };
    let max_fee_wei = step(before.max_fee_wei).max(market.max_fee_wei);
    let max_priority_wei = step(before.max_priority_wei).max(market.max_priority_wei);
    Ok(Fees {
        max_fee_wei: under(max_fee_wei, network.max_fee_per_gas_wei)?,
        max_priority_wei: under(max_priority_wei, network.max_priority_fee_per_gas_wei.max(1))?,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::Networks;

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

    #[test]
    fn a_replacement_offers_the_step_even_where_the_market_fell() {
        let before = Fees { max_fee_wei: 8_000, max_priority_wei: 801 };
        let market = Fees { max_fee_wei: 10, max_priority_wei: 1 };
        let fees = replacement(before, market, &network()).expect("below the caps");
        assert_eq!(fees, Fees { max_fee_wei: 9_000, max_priority_wei: 902 });
        let market = Fees { max_fee_wei: 20_000, max_priority_wei: 1 };
        let fees = replacement(before, market, &network()).expect("below the caps");
        assert_eq!(fees, Fees { max_fee_wei: 20_000, max_priority_wei: 902 });
    }

    proptest! {
        #[test]
        fn a_replacement_is_one_for_every_node_or_above_a_cap(
            max_fee_wei in 1..400_000_000_000_u128, tip in 1..6_000_000_000_u128, market in 1..300_000_000_000_u128,
        ) {
            let network = network();
            let before = Fees { max_fee_wei: max_fee_wei.max(tip), max_priority_wei: tip };
            let market = Fees { max_fee_wei: market, max_priority_wei: 1 };
            if let Ok(fees) = replacement(before, market, &network) {
                prop_assert!(fees.max_fee_wei * 10 >= before.max_fee_wei * 11);
                prop_assert!(fees.max_priority_wei * 10 >= before.max_priority_wei * 11);
                prop_assert!(fees.max_priority_wei <= fees.max_fee_wei);
                prop_assert!(fees.max_fee_wei <= network.max_fee_per_gas_wei);
                prop_assert!(fees.max_priority_wei <= network.max_priority_fee_per_gas_wei);
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
