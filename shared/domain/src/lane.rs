//! A lane: the strictly sequential number line of one sender address on one network.

use std::{cell::RefCell, collections::BTreeMap, fmt, rc::Rc};

use alloy_primitives::Address;
use serde::{Deserialize, Serialize};

use crate::{clock::Millis, id::NetworkId, verdict::WaitReason};

/// Names a lane: `{network}/{address}`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LaneId {
    /// The network.
    pub network: NetworkId,
    /// The sender.
    pub address: Address,
}

impl fmt::Display for LaneId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.network, spelled(self.address))
    }
}

/// Addresses whose spelling a thread remembers.
const SPELLED_MAX: usize = 256;

thread_local! {
    static SPELLED: RefCell<BTreeMap<Address, Rc<str>>> = const { RefCell::new(BTreeMap::new()) };
}

/// An address in the spelling of EIP-55: letters in its case cost a hash, and a few lanes are named again and again.
fn spelled(address: Address) -> Rc<str> {
    let checksum = || Rc::from(address.to_checksum(None));
    let remembered = SPELLED.try_with(|spelled| {
        let mut spelled = spelled.borrow_mut();
        if spelled.len() >= SPELLED_MAX && !spelled.contains_key(&address) {
            spelled.clear();
        }
        Rc::clone(spelled.entry(address).or_insert_with(checksum))
    });
    // A thread that ends has nothing left to remember with.
    remembered.unwrap_or_else(|_| checksum())
}

impl TryFrom<String> for LaneId {
    type Error = crate::id::IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let error = crate::id::IdError { what: "lane" };
        let (network, address) = text.split_once('/').ok_or(error.clone())?;
        Ok(Self { network: network.parse()?, address: address.parse().map_err(|_| error)? })
    }
}

impl From<LaneId> for String {
    fn from(id: LaneId) -> Self {
        id.to_string()
    }
}

/// Whether a lane's bytes may go out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum LaneGate {
    /// They may.
    Open,
    /// Later; the sweep publishes the lane again.
    Waiting {
        /// What for.
        reason: WaitReason,
        /// When to look again.
        wake_at: Millis,
    },
    /// Nothing at or above `limit` goes out until an operator releases the lane (rule 10, rule 5).
    /// What is below was out already and may be sent again: the same bytes.
    Halted {
        /// Why, for the operator.
        reason: String,
        /// First number that must not go out.
        limit: u64,
    },
}

/// How many numbers a lane may still hand out before it has `in_flight_max` out.
///
/// `next` is the first number never assigned, `consumed` the first the chain has not used up.
pub const fn room(in_flight_max: u64, next: u64, consumed: u64) -> u64 {
    in_flight_max.saturating_sub(next.saturating_sub(consumed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_is_spelled_the_same_however_many_were_before() {
        let lane = |n: u64| LaneId {
            network: "local".parse().expect("a name"),
            address: Address::left_padding_from(&n.to_be_bytes()),
        };
        for n in (0..2 * SPELLED_MAX as u64).chain(0..3) {
            let text = lane(n).to_string();
            assert_eq!(text, format!("local/{}", lane(n).address.to_checksum(None)));
            assert_eq!(LaneId::try_from(text), Ok(lane(n)));
        }
    }

    #[test]
    fn room_is_what_in_flight_leaves() {
        assert_eq!(room(16, 10, 10), 16);
        assert_eq!(room(16, 20, 10), 6);
        assert_eq!(room(16, 30, 10), 0);
        // A foreign transaction took numbers the lane has not reached: nothing of ours is in flight.
        assert_eq!(room(16, 10, 12), 16);
    }
}
