//! What seems to have paid nobody is read once more, of every provider, at each depth at which something is told: a node may
//! tell a fresh block's receipts before it has their logs, and what was read then would stand.

use causeway_chains::{Chain, Receipt};
use causeway_domain::{B256, Network, limits::PLAIN_TRANSFER_GAS};
use causeway_state::{message::Stage, tracker::Inclusion};

use crate::{TrackError, Tracker, include::evidence, lead::Lead, opinion::WITNESSES};

impl Tracker {
    /// Tells that these are confirmed: what succeeded. What providers do not tell again, or not alike, waits until it is final,
    /// and so do reverted ones: a reorganisation can turn them into successes (rule 5).
    pub(crate) async fn tell_confirmed(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (height, hash): (u64, B256),
        known: Vec<Inclusion>,
    ) -> Result<(), TrackError> {
        let mut succeeded: Vec<Inclusion> = known.into_iter().filter(|inclusion| inclusion.success).collect();
        if let Some(again) = self.read_again(network, chain, (height, hash), &succeeded, network.confirmed_at).await? {
            let now = self.keep_later(network, (height, hash), &succeeded, again).await?;
            let in_ring = lead.ring.get_mut(&height).and_then(|block| block.inclusions.as_mut());
            for inclusion in in_ring.into_iter().flatten() {
                if let Some(agreed) = now.iter().find(|agreed| agreed.hash == inclusion.hash) {
                    inclusion.clone_from(agreed);
                }
            }
            succeeded = now.into_iter().filter(|inclusion| inclusion.success).collect();
        }
        self.publish_stage(network, height, hash, Stage::Confirmed, &succeeded).await
    }

    /// Tells that these are final. Answers what rows say of them by now, or `None` where it did not: of what seems to have
    /// paid nobody, somebody must tell the receipt again, and two where the network asks for a second opinion.
    pub(crate) async fn tell_final(
        &self,
        network: &Network,
        chain: &dyn Chain,
        (height, hash): (u64, B256),
        known: &[Inclusion],
    ) -> Result<Option<Vec<Inclusion>>, TrackError> {
        let Some(again) = self.read_again(network, chain, (height, hash), known, network.final_at).await? else {
            tracing::warn!(network = %network.id, height, %hash, "nobody tells these receipts again; nothing is released");
            return Ok(None);
        };
        self.publish_stage(network, height, hash, Stage::Final, &again).await?;
        self.keep_later(network, (height, hash), known, again).await.map(Some)
    }

    /// Keeps what all providers agree on by now, where it is another than what was known: reconciliation reads it. Answers
    /// that, and of the others what was known.
    async fn keep_later(
        &self,
        network: &Network,
        block: (u64, B256),
        known: &[Inclusion],
        again: Vec<Inclusion>,
    ) -> Result<Vec<Inclusion>, TrackError> {
        let mut now = Vec::new();
        let mut other = Vec::new();
        for (known, again) in known.iter().zip(again) {
            let agreed = if again.disputed { known.clone() } else { again };
            if agreed != *known {
                other.push(agreed.clone());
            }
            now.push(agreed);
        }
        if !other.is_empty() {
            self.write_later(&network.id, block, &other).await?;
        }
        Ok(now)
    }

    /// These inclusions as providers tell them now, where their receipts seemed to pay nobody; `None` where too few answer to whom
    /// the block is as deep: to one that lags it is as new as it was, and may be without its logs.
    async fn read_again(
        &self,
        network: &Network,
        chain: &dyn Chain,
        (height, block): (u64, B256),
        known: &[Inclusion],
        depth: u64,
    ) -> Result<Option<Vec<Inclusion>>, TrackError> {
        let mut inclusions = known.to_vec();
        let doubtful: Vec<B256> = inclusions.iter().filter(|it| seems_unpaid(it)).map(|it| it.hash).collect();
        if doubtful.is_empty() {
            return Ok(Some(inclusions));
        }
        let mut given = chain.receipts_by_each(block, &doubtful, (height + depth).saturating_sub(1)).await;
        let far = given.iter().filter(|reply| reply.value.is_far).count();
        if far < if network.second_opinion { WITNESSES } else { 1 } {
            return Ok(None);
        }
        // One that lags proves that somebody was paid as well as any, and nothing else.
        let unpaid: Vec<&Inclusion> = known.iter().filter(|it| seems_unpaid(it)).collect();
        let pays = |receipts: &[Receipt]| {
            unpaid.iter().zip(receipts).any(|(known, receipt)| !seems_unpaid(&evidence(network, known, receipt)))
        };
        given.retain(|reply| reply.value.is_far || pays(&reply.value.receipts));
        let unpaid = inclusions.iter_mut().filter(|it| seems_unpaid(it));
        for (position, inclusion) in unpaid.enumerate() {
            let receipts = given.iter().filter_map(|reply| reply.value.receipts.get(position));
            let again = agreed(network, inclusion, receipts);
            if again != *inclusion {
                let who: Vec<&str> = given.iter().map(|reply| reply.provider.as_str()).collect();
                tracing::warn!(
                    lane = %inclusion.lane, number = inclusion.number, hash = %inclusion.hash, ?who, disputed = again.disputed,
                    "its receipt is another one than when its block was new"
                );
            }
            *inclusion = again;
        }
        Ok(Some(inclusions))
    }
}

/// Whether its receipt says that nobody was paid. A no-op pays nobody whatever it says.
fn seems_unpaid(inclusion: &Inclusion) -> bool {
    let logs_nothing = inclusion.moved.is_empty() && inclusion.gas_used > PLAIN_TRANSFER_GAS;
    !inclusion.cancel && (!inclusion.success || logs_nothing)
}

/// What all of these say; disputed where they differ.
fn agreed<'a>(network: &Network, known: &Inclusion, receipts: impl Iterator<Item = &'a Receipt>) -> Inclusion {
    let mut said: Option<Inclusion> = None;
    for receipt in receipts {
        let one = evidence(network, known, receipt);
        match &said {
            None => said = Some(one),
            Some(first) if *first == one => {}
            Some(first) => return Inclusion { disputed: true, ..first.clone() },
        }
    }
    said.unwrap_or_else(|| known.clone())
}

#[cfg(test)]
mod tests {
    use causeway_domain::{Address, Networks, lane::LaneId};

    use super::*;

    fn network() -> Network {
        let file = include_str!("../../../infra/networks.toml");
        Networks::parse(file, &["local"]).expect("valid").get("local").expect("there").clone()
    }

    fn inclusion(success: bool, gas_used: u64) -> Inclusion {
        Inclusion {
            hash: B256::repeat_byte(1),
            lane: LaneId { network: "local".parse().expect("a name"), address: Address::repeat_byte(3) },
            number: 4,
            attempt: 0,
            cancel: false,
            success,
            gas_used,
            gas_price_wei: 1,
            moved: Vec::new(),
            unreadable: false,
            disputed: false,
            revert_reason: None,
        }
    }

    fn receipt(success: bool) -> Receipt {
        Receipt {
            hash: B256::repeat_byte(1),
            block_hash: B256::repeat_byte(2),
            block_number: 9,
            success,
            gas_used: 50_000,
            effective_gas_price_wei: 1,
            from: Address::repeat_byte(3),
            to: Some(Address::repeat_byte(7)),
            logs: Vec::new(),
        }
    }

    #[test]
    fn only_what_may_free_money_is_read_again() {
        assert!(seems_unpaid(&inclusion(false, PLAIN_TRANSFER_GAS)));
        assert!(seems_unpaid(&inclusion(true, 50_000)), "a token that logged nothing, as it was told");
        assert!(!seems_unpaid(&inclusion(true, PLAIN_TRANSFER_GAS)), "the coin");
        assert!(!seems_unpaid(&Inclusion { cancel: true, ..inclusion(false, 50_000) }), "a no-op");
    }

    #[test]
    fn what_providers_say_now_counts_and_where_they_differ_it_is_disputed() {
        let (network, known) = (network(), inclusion(false, 50_000));
        let said = |receipts: &[Receipt]| agreed(&network, &known, receipts.iter());
        assert_eq!(said(&[receipt(false), receipt(false)]), known);
        assert!(said(&[receipt(true)]).success, "another one than when its block was new");
        let both = said(&[receipt(false), receipt(true)]);
        assert!(both.disputed);
        assert_eq!(said(&[]), known);
    }
}
