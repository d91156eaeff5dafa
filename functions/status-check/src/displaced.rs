//! Rule 4: a number that somebody else's transaction took. Given up only when two providers prove at a final block that
//! it is used, and that no attempt of ours exists anywhere, and when what took it cannot be a payment or no-op of ours whose row a
//! restore lost ([`asked`](crate::asked)); otherwise it stays an operator's case.

use std::collections::BTreeSet;

use causeway_chains::{Chain, ChainError, Receipt, Reply, Testimony};
use causeway_domain::{B256, Network, lane::LaneId};
use causeway_state::{
    commit::{Done, commit},
    displace::{Case, DisplaceError, Word},
    lane::{Gate, Signed, Transaction},
    message::{ParcelMessage, request_queue},
    parcel::Parcel,
    tracker::HeaderRow,
};
use causeway_store::Key;

use crate::{Post, TrackError, Tracker, lanes::found_out, lead::Lead, opinion::WITNESSES};

impl Tracker {
    /// Gives a number up if that is proven, and has its parcels accepted once more.
    pub(crate) async fn displace(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        lane: &LaneId,
        number: u64,
    ) -> Result<(), TrackError> {
        let rows = self.store.query(&Transaction::query_from(lane, number, Signed::ROWS_MAX)).await?.items;
        let Some(signed) = Signed::read(&rows)?.into_iter().find(|signed| signed.transaction.number == number) else {
            return Ok(());
        };
        let (height, since) = (lead.head.finalized, signed.transaction.since);
        if signed.attempts.len() != signed.transaction.attempts as usize || since == 0 || height <= since {
            let (attempts, of) = (signed.attempts.len(), signed.transaction.attempts);
            tracing::warn!(lane = %lane, number, attempts, of, since, height, "nothing proves yet whose a number is");
            return Ok(());
        }
        let row = self.store.get(&HeaderRow::key(&lane.network, height)).await?;
        let Some(header) = row.map(|row| row.parse::<HeaderRow>()).transpose()? else { return Ok(()) };
        let hashes: Vec<B256> = signed.attempts.iter().map(|attempt| attempt.hash).collect();
        // A number that was used before it was signed is no stranger's: the rows are not all there (a restored table).
        let before = chain.testify(since, Some(lane.address), &[]).await;
        let after = chain.testify(height, Some(lane.address), &hashes).await;
        match proof(number, header.hash, &before, &after) {
            Proof::By(witnesses) => {
                let taker = found_out(taker(chain, lane, number, height).await.map_err(TrackError::from), lane)?;
                let hash = taker.as_ref().map(|taker| taker.hash);
                let why = self.spared(network, chain, lead, (lane, &signed.transaction), taker.as_ref()).await?;
                match why {
                    None => {
                        tracing::error!(lane = %lane, number, ?hash, "another's transaction has the number");
                        self.give_up(lane, &signed, height, witnesses).await
                    }
                    Some(why) => {
                        tracing::warn!(lane = %lane, number, ?hash, why, "a number stays an operator's case");
                        Ok(())
                    }
                }
            }
            Proof::None(why) => {
                tracing::warn!(lane = %lane, number, why, "a number that is not ours stays an operator's case");
                Ok(())
            }
        }
    }

    /// Why what took a number may be ours, so that the number is not given up; `None` where it is a stranger's.
    async fn spared(
        &self,
        network: &Network,
        chain: &dyn Chain,
        lead: &mut Lead,
        (lane, ours): (&LaneId, &Transaction),
        taker: Option<&Receipt>,
    ) -> Result<Option<&'static str>, TrackError> {
        let Some(taker) = taker else { return Ok(Some("no node tells what took it")) };
        if let Some(why) = looks_like(ours, lane, taker) {
            return Ok(Some(why));
        }
        let told = self.may_be_ours(network, chain, lead, (lane, ours.number), taker).await;
        Ok(found_out(told.map(Some), lane)?.unwrap_or(Some("it is not found out what took it did")))
    }

    async fn give_up(
        &self,
        lane: &LaneId,
        signed: &Signed,
        height: u64,
        witnesses: BTreeSet<String>,
    ) -> Result<(), TrackError> {
        let keys: Vec<Key> = signed.transaction.parcels.iter().map(|id| Parcel::key(*id)).collect();
        let mut rows = self.store.get_many(&keys).await?;
        rows.extend(self.store.get_many(&[Gate::key(lane)]).await?);
        let Some(Some(gate_row)) = rows.pop() else { return Ok(()) };
        let gate: Gate = gate_row.parse()?;
        let mut parcels: Vec<(Parcel, u64)> = Vec::new();
        for row in rows.iter().flatten() {
            parcels.push((row.parse()?, row.version()));
        }
        let case = Case {
            lane,
            transaction: (&signed.transaction, signed.version),
            parcels: &parcels,
            gate: (&gate, gate_row.version()),
        };
        let (number, trace) = (signed.transaction.number, signed.transaction.trace);
        let word = Word::Providers { height, names: witnesses.iter().cloned().collect() };
        let (writes, again) = match case.writes(word, self.clock.now_ms()) {
            Ok(written) => written,
            Err(DisplaceError::NotThis(why) | DisplaceError::Taker(why)) => {
                tracing::warn!(lane = %lane, number, why, "a number is not given up");
                return Ok(());
            }
            Err(error @ (DisplaceError::Move(_) | DisplaceError::Row(_))) => {
                return Err(TrackError::Stuck(error.to_string()));
            }
        };
        match commit(&*self.store, &*self.clock, &writes).await? {
            Done::Committed => {
                tracing::error!(lane = %lane, number, %trace, height, ?witnesses, "given up: another's transaction took it");
                self.publish_parcels(&again).await
            }
            // Somebody moved it meanwhile: the next check looks anew.
            Done::Conflict(_) => Ok(()),
        }
    }

    async fn publish_parcels(&self, parcels: &[Parcel]) -> Result<(), TrackError> {
        for parcel in parcels {
            let body = ParcelMessage { parcel: parcel.id, trace: parcel.trace };
            let post = Post { body, group: Some(parcel.tenant.to_string()), dedup: None };
            self.publish(request_queue(parcel.priority), vec![post]).await?;
        }
        Ok(())
    }
}

/// What used the lane's number, where it is used at this height; `None` where it is not, or a node does not tell. Looks
/// for its block by halves, from the newest back: nodes answer for a state, not for a number, and the older ones are rarer.
pub(crate) async fn taker(
    chain: &dyn Chain,
    lane: &LaneId,
    number: u64,
    height: u64,
) -> Result<Option<Receipt>, ChainError> {
    if number_at(chain, lane, height).await?.is_none_or(|next| next <= number) {
        return Ok(None);
    }
    let (mut used, mut step) = (height, 1);
    let mut free = loop {
        let lower = height.saturating_sub(step);
        match number_at(chain, lane, lower).await? {
            Some(next) if next <= number => break lower,
            Some(_) if lower > 0 => (used, step) = (lower, step * 2),
            Some(_) | None => return Ok(None),
        }
    };
    while used - free > 1 {
        let middle = free + (used - free) / 2;
        match number_at(chain, lane, middle).await? {
            None => return Ok(None),
            Some(next) if next <= number => free = middle,
            Some(_) => used = middle,
        }
    }
    // Only its own receipt is asked for: one of a stranger's in the same block may be missing, or not to be read.
    let Some(sent) = chain.sent_in(used, lane.address).await?.value else { return Ok(None) };
    let Some(hash) = sent.by_number.get(&number) else { return Ok(None) };
    let receipts = chain.receipts(sent.block, &[*hash]).await?.value;
    Ok(receipts.and_then(|receipts| receipts.into_iter().next()).filter(|receipt| receipt.from == lane.address))
}

async fn number_at(chain: &dyn Chain, lane: &LaneId, height: u64) -> Result<Option<u64>, ChainError> {
    Ok(chain.holdings(height, lane.address, &[]).await?.value.map(|then| then.number))
}

/// Why what took a number may be an attempt of its own whose row a restore lost: the payment of what was to be paid, or a
/// no-op.
fn looks_like(ours: &Transaction, lane: &LaneId, taker: &Receipt) -> Option<&'static str> {
    match taker.to {
        Some(to) if to == ours.intent.to => Some("what took it calls whom ours was to call"),
        Some(to) if to == lane.address => Some("what took it may be a no-op of ours"),
        Some(_) | None => None,
    }
}

/// What providers prove.
#[derive(Debug, PartialEq, Eq)]
enum Proof {
    /// These, each by itself.
    By(BTreeSet<String>),
    /// Not enough, and why.
    None(&'static str),
}

/// Who proves that a number was free when its transaction was signed, and is used at a final block by nothing of ours.
fn proof(number: u64, block: B256, before: &[Reply<Testimony>], after: &[Reply<Testimony>]) -> Proof {
    if after.iter().any(|reply| !reply.value.known.is_empty()) {
        return Proof::None("a provider knows a transaction of ours");
    }
    let free = |reply: &Reply<Testimony>| reply.value.number_at.is_some_and(|next| next <= number);
    let used = |reply: &Reply<Testimony>| {
        reply.value.header.hash == block && reply.value.number_at.is_some_and(|next| next > number)
    };
    if before.iter().any(|reply| !free(reply)) {
        return Proof::None("the number was used before it was signed");
    }
    let then: BTreeSet<&str> = before.iter().filter(|reply| free(reply)).map(|reply| reply.provider.as_str()).collect();
    let now = after.iter().filter(|reply| used(reply)).map(|reply| &reply.provider);
    let witnesses: BTreeSet<String> = now.filter(|name| then.contains(name.as_str())).cloned().collect();
    if witnesses.len() < WITNESSES { Proof::None("fewer than two providers prove it") } else { Proof::By(witnesses) }
}

#[cfg(test)]
mod tests {
    use causeway_chains::Header;
    use causeway_domain::{Address, Bytes, U256, fees::Priority, id::TraceId};
    use causeway_state::lane::Intent;

    use super::*;

    const BLOCK: B256 = B256::repeat_byte(1);

    fn says(provider: &str, next: u64, known: &[B256]) -> Reply<Testimony> {
        let header = Header { number: 9, hash: BLOCK, parent: B256::ZERO, timestamp_s: 0 };
        let value = Testimony { header, number_at: Some(next), known: known.to_vec() };
        Reply { value, provider: provider.to_owned(), height: None }
    }

    #[test]
    fn two_that_saw_it_free_and_then_used_prove_it() {
        let (before, after) = ([says("a", 5, &[]), says("b", 4, &[])], [says("a", 6, &[]), says("b", 7, &[])]);
        let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(proof(5, BLOCK, &before, &after), Proof::By(both));
    }

    #[test]
    fn anything_less_is_an_operators_case() {
        let free = [says("a", 5, &[]), says("b", 5, &[])];
        let used = [says("a", 6, &[]), says("b", 6, &[])];
        let proven = |before: &[_], after: &[_]| matches!(proof(5, BLOCK, before, after), Proof::By(_));
        assert!(proven(&free, &used));
        assert!(!proven(&free[..1], &used), "one cannot tell whether it was free");
        assert!(!proven(&free, &used[..1]), "one alone says that it is used");
        assert!(!proven(&free, &[says("a", 6, &[]), says("a", 6, &[])]), "the same provider twice");
        assert!(!proven(&free, &[says("a", 6, &[]), says("b", 5, &[])]), "they disagree");
        assert!(!proven(&free, &[says("a", 6, &[]), says("b", 6, &[BLOCK])]), "ours is known somewhere");
        assert!(!proven(&[says("a", 5, &[]), says("b", 6, &[])], &used), "it was used before it was signed");
        assert!(!matches!(proof(5, B256::ZERO, &free, &used), Proof::By(_)), "on another branch");
    }

    #[test]
    fn what_took_it_is_a_strangers_only_if_it_cannot_be_ours() {
        let lane = LaneId { network: "local".parse().expect("a name"), address: Address::repeat_byte(3) };
        let recipient = Address::repeat_byte(7);
        let intent = Intent { to: recipient, value: U256::ZERO, data: Bytes::new(), gas_limit: 21_000 };
        let ours = Transaction {
            number: 5,
            parcels: Vec::new(),
            intent,
            attempts: 1,
            send: None,
            priority: Priority::Normal,
            since: 1,
            created_at: 0,
            trace: TraceId::derived(&["t"]),
            outcome: None,
            reopened: 0,
        };
        let taker = |to| Receipt {
            hash: BLOCK,
            block_hash: BLOCK,
            block_number: 9,
            success: true,
            gas_used: 21_000,
            effective_gas_price_wei: 1,
            from: lane.address,
            to,
            logs: Vec::new(),
        };
        let judged = |to| looks_like(&ours, &lane, &taker(to));
        assert!(judged(Some(Address::repeat_byte(9))).is_none());
        assert!(judged(None).is_none(), "it makes a contract, which we never do");
        assert!(judged(Some(recipient)).is_some(), "an attempt whose row is lost");
        assert!(judged(Some(lane.address)).is_some(), "a no-op whose row is lost");
    }
}
