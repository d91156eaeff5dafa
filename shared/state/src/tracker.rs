//! The tracker's rows: heads, headers, watches and inclusions.
//!
//! A block's inclusions lie under its hash, so two branches never overwrite each other, and
//! confirmations are derived from the head, never stored. No row expires by time: a network may be switched off for
//! months, and what its next leader needs is what the last one wrote.

use causeway_domain::{
    Address, Amount, B256,
    clock::Millis,
    id::{NetworkId, TraceId},
    lane::LaneId,
};
use causeway_store::{Expect, Item, Key, Query, Range, RowError, Value, Write};
use serde::{Deserialize, Serialize};

use crate::tables::TRACKER;

/// How far the tracker has come on a network, and who drives it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Head {
    /// Height of the newest block worked off.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// Height up to which `confirmed` was told.
    pub confirmed: u64,
    /// Height up to which `final` was told.
    pub finalized: u64,
    /// Counts leaders; a write of an older one is refused.
    pub epoch: u64,
    /// Who leads.
    pub leader: String,
    /// Until when, unless renewed.
    pub lease_until: Millis,
    /// When a leader that was not far behind the chain last held every lane against it; 0 since one found that it was.
    #[serde(default)]
    pub looked_at: Millis,
    /// When a look was believed after none had been: before it the tables may have been set back. 0: never.
    #[serde(default)]
    pub anew_at: Millis,
}

/// For so long a look at all lanes is believed. They come each minute; and tables are set back by five minutes at least
/// (DynamoDB's `LatestRestorableDateTime` is typically so long ago), so that no look from before a restore is believed after.
const LOOK_MS: u64 = 300_000;
/// A look that was further ahead than this was made by a clock that is not honest, and may be older than it says.
const AHEAD_MS: u64 = 30_000;

impl Head {
    /// Where a network's head lies.
    pub fn key(network: &NetworkId) -> Key {
        Key::new(TRACKER, format!("HEAD#{network}"), "HEAD")
    }

    /// For a commit that must not happen before the tracker has told blocks up to this height as final.
    pub fn is_final(network: &NetworkId, height: u64) -> Write {
        let finalized = Expect::AtLeast("finalized", i128::from(height));
        Write::Check { key: Self::key(network), expect: vec![finalized] }
    }

    /// Whether lanes' rows are as the chain is, as far as the tracker can tell: numbers that rows do not remember may have
    /// paid what they call unsigned, where tables were set back to an earlier time.
    pub const fn vouches(&self, now: Millis) -> bool {
        self.looked_at.saturating_add(LOOK_MS) > now && self.looked_at <= now.saturating_add(AHEAD_MS)
    }
}

/// A block of the canonical chain as the tracker knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeaderRow {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: B256,
    /// Hash of the block before.
    pub parent: B256,
}

impl HeaderRow {
    /// Where the canonical block of a height lies.
    pub fn key(network: &NetworkId, height: u64) -> Key {
        Key::new(TRACKER, format!("HDR#{network}"), format!("{height:020}"))
    }

    /// For a commit that must not happen once this block has left the chain.
    pub fn holds(network: &NetworkId, height: u64, hash: B256) -> Write {
        let expect = vec![Expect::Equals("hash", Value::from(hash.to_string()))];
        Write::Check { key: Self::key(network, height), expect }
    }
}

/// A block that left the chain and whose transactions are not yet all told so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrphanRow {
    /// Height.
    pub height: u64,
    /// Hash.
    pub hash: B256,
}

impl OrphanRow {
    /// Where it lies.
    pub fn key(network: &NetworkId, height: u64, hash: B256) -> Key {
        Key::new(TRACKER, format!("HEAD#{network}"), format!("ORPHAN#{height:020}#{hash}"))
    }

    /// Reads all that are left of a network.
    pub fn query(network: &NetworkId) -> Query {
        Query::table(TRACKER, format!("HEAD#{network}"), Range::Prefix("ORPHAN#".to_owned()))
    }
}

/// A hash somebody follows; one of our attempts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    /// The transaction's hash.
    pub hash: B256,
    /// The lane it was signed for.
    pub lane: LaneId,
    /// Its number there.
    pub number: u64,
    /// Which attempt of the number.
    pub attempt: u32,
    /// Whether it is to cancel the number's parcels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
    /// The trace it belongs to.
    pub trace: TraceId,
    /// Where it was included, as last seen; canonical only if the header row agrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub height: Option<u64>,
    /// The block that included it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_hash: Option<B256>,
}

impl Watch {
    /// Where a hash's watch lies.
    pub fn key(network: &NetworkId, hash: B256) -> Key {
        Key::new(TRACKER, format!("TX#{network}#{hash}"), "TX")
    }
}

/// A token movement that a transaction's log proves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The token.
    pub token: Address,
    /// Who received.
    pub to: Address,
    /// How much, in smallest units.
    pub amount: Amount,
}

/// A transaction of ours in a block.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inclusion {
    /// Its hash.
    pub hash: B256,
    /// Its lane.
    pub lane: LaneId,
    /// Its number.
    pub number: u64,
    /// Which attempt of the number.
    pub attempt: u32,
    /// Whether it was to cancel the number's parcels.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub cancel: bool,
    /// Whether it took effect.
    pub success: bool,
    /// Gas used.
    pub gas_used: u64,
    /// Wei paid per gas.
    pub gas_price_wei: u64,
    /// Tokens its log says left the lane's address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub moved: Vec<Moved>,
    /// Whether nothing in `moved` is no proof: its log tells of a movement that cannot be read.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unreadable: bool,
    /// Whether providers tell different receipts of it: people decide.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub disputed: bool,
    /// Why it reverted, if it did and the node can tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revert_reason: Option<String>,
}

/// Bytes of inclusions, as JSON, that one row or one message holds: what a transaction's log says is anybody's to write. As
/// an item they have fewer (DynamoDB takes 400 KB), and a dead letter keeps them whole.
pub const INCLUSIONS_BYTES_MAX: usize = 200 * 1024;

/// Parts of at most so many, and of at most [`INCLUSIONS_BYTES_MAX`]; in order. One that is larger alone is a part alone.
pub fn parts<T>(all: &[T], most: usize, inclusion: impl Fn(&T) -> &Inclusion) -> Result<Vec<&[T]>, RowError> {
    let mut parts = Vec::new();
    let (mut from, mut bytes) = (0, 0);
    for (at, one) in all.iter().enumerate() {
        let more = serde_json::to_string(inclusion(one)).map_err(unstorable)?.len() + 1;
        if at > from && (at - from == most || bytes + more > INCLUSIONS_BYTES_MAX) {
            parts.push(&all[from..at]);
            (from, bytes) = (at, 0);
        }
        bytes += more;
    }
    if from < all.len() {
        parts.push(&all[from..]);
    }
    Ok(parts)
}

fn unstorable(error: serde_json::Error) -> RowError {
    RowError::Unstorable { reason: error.to_string() }
}

/// Some of a block's inclusions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InclusionChunk {
    /// The inclusions.
    pub inclusions: Vec<Inclusion>,
}

impl InclusionChunk {
    fn pk(network: &NetworkId, height: u64, block: B256) -> String {
        format!("INC#{network}#{height:020}#{block}")
    }

    /// Where a chunk lies.
    pub fn key(network: &NetworkId, height: u64, block: B256, chunk: usize) -> Key {
        Key::new(TRACKER, Self::pk(network, height, block), format!("{chunk:06}"))
    }

    /// Where lies what providers told of one of them later, when the block was told: before the chunks, so that who reads all
    /// in order, and takes the first of each, takes this.
    pub fn later_key(network: &NetworkId, height: u64, block: B256, inclusion: B256) -> Key {
        Key::new(TRACKER, Self::pk(network, height, block), format!("!{inclusion}"))
    }

    /// Reads all chunks of a block.
    pub fn query(network: &NetworkId, height: u64, block: B256) -> Query {
        Query::table(TRACKER, Self::pk(network, height, block), Range::All)
    }

    /// The chunk as a row.
    pub fn item(&self) -> Result<Item, RowError> {
        Item::from_fields(self)
    }
}

#[cfg(test)]
mod tests {
    use causeway_domain::U256;

    use super::*;

    fn inclusion(number: u64, movements: usize) -> Inclusion {
        let far = Address::repeat_byte(0xAB);
        let amount = Amount::try_from(U256::from(10_u128.pow(38) - 1)).expect("below the limit");
        let moved = vec![Moved { token: far, to: far, amount }; movements];
        Inclusion {
            hash: B256::repeat_byte(7),
            lane: LaneId { network: "a-network-with-a-long-name".parse().expect("a name"), address: far },
            number,
            attempt: 0,
            cancel: true,
            success: true,
            gas_used: u64::MAX,
            gas_price_wei: u64::MAX,
            moved,
            unreadable: true,
            disputed: false,
            revert_reason: Some("\u{1F4B8}".repeat(300)),
        }
    }

    #[test]
    fn parts_hold_all_in_order_and_no_more_than_fits() {
        let all: Vec<Inclusion> = (0..90).map(|number| inclusion(number, 100)).collect();
        let parts = parts(&all, 20, |one| one).expect("plain data");
        assert_eq!(parts.concat(), all);
        assert!(parts.len() > 5 && parts.iter().all(|part| part.len() <= 20), "{}", parts.len());
        for part in parts {
            let chunk = InclusionChunk { inclusions: part.to_vec() };
            assert!(serde_json::to_string(&chunk).expect("plain data").len() < 210 * 1024);
        }
    }

    #[test]
    fn small_ones_are_parted_by_their_number_alone() {
        let all: Vec<Inclusion> = (0..41).map(|number| inclusion(number, 0)).collect();
        let lengths: Vec<usize> =
            parts(&all, 20, |one| one).expect("plain data").iter().map(|part| part.len()).collect();
        assert_eq!(lengths, [20, 20, 1]);
        assert!(parts(&all[..0], 20, |one| one).expect("plain data").is_empty());
    }

    #[test]
    fn what_was_told_later_is_read_first() {
        let (network, hash) = ("local".parse().expect("a name"), B256::repeat_byte(7));
        let later = InclusionChunk::later_key(&network, 9, hash, hash);
        let first = InclusionChunk::key(&network, 9, hash, 0);
        assert!(later.pk == first.pk && later.sk < first.sk);
    }
}
