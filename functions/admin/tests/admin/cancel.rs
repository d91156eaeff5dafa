//! Cancelling by an operator: at once while nothing is signed, otherwise as a wish that the chain decides on.

use causeway_domain::{B256, parcel::ParcelState};
use causeway_queue::{QueueName, memory::Fault};
use causeway_state::{
    message::{SignReason, SignRequest, queues},
    parcel::Parcel,
};
use causeway_store::{MemoryStore, Write};
use serde_json::json;

use crate::{
    refund::{balances, doubts, held},
    support::{Answer, NOW, World},
};

const REQUESTS: QueueName = QueueName(queues::SIGN_REQUESTS);

async fn cancel(world: &World, parcel: &Parcel) -> Answer {
    let path = format!("/admin/v1/transfers/{}/cancel", parcel.transfer_id(0));
    world.post(&path, json!({"reason": "the client asked by phone"})).await
}

async fn stored(world: &World, parcel: &Parcel) -> Parcel {
    world.row(&Parcel::key(parcel.id)).await.expect("there").parse().expect("a parcel")
}

/// The parcel, signed as number 4.
async fn signed(world: &World, parcel: &Parcel) -> Parcel {
    let row = world.row(&Parcel::key(parcel.id)).await.expect("there");
    let next = Parcel { number: Some(4), hash: Some(B256::repeat_byte(4)), ..parcel.clone() };
    let item = next.item().expect("a row");
    let expect = vec![causeway_store::Expect::Version(row.version())];
    world.put(Write::Put { key: Parcel::key(parcel.id), item, expect }).await;
    next
}

#[tokio::test]
async fn what_is_not_signed_is_cancelled_and_its_money_free_once() {
    for state in [ParcelState::Accepted, ParcelState::Waiting] {
        let (world, parcel, _) = held(&MemoryStore::new(), state).await;
        let told = cancel(&world, &parcel).await.ok();
        assert_eq!((&told["state"], &told["cancelRequested"]), (&json!("cancelled"), &json!(true)));
        assert_eq!(balances(&world).await, ("10".to_owned(), "0".to_owned()));
        assert_eq!(cancel(&world, &parcel).await.ok()["state"], "cancelled", "a repeat does no harm");
        assert_eq!(balances(&world).await, ("10".to_owned(), "0".to_owned()));
        let acts = world.actions().await;
        assert_eq!(acts.iter().filter(|act| *act == "transfers.cancel").count(), 1);
        assert_eq!(world.queue.len(REQUESTS), 0);
    }
}

#[tokio::test]
async fn what_the_chain_may_have_paid_keeps_its_money_and_the_wish_is_on_record() {
    for (state, doubt) in [(ParcelState::Accepted, 0), (ParcelState::Waiting, 1), (ParcelState::Waiting, 2)] {
        let (world, parcel, _) = held(&MemoryStore::new(), state).await;
        world.put(doubts(&parcel.wallet)[doubt].clone()).await;
        for _ in 0..2 {
            let told = cancel(&world, &parcel).await.ok();
            assert_eq!((&told["state"], &told["cancelRequested"]), (&json!("accepted"), &json!(true)));
        }
        assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()));
        let stored = stored(&world, &parcel).await;
        assert_eq!(stored.cancel.expect("on record").by, "olga");
        assert!(stored.due_at.is_some_and(|due| due <= NOW), "the sweep has the signer see to it");
        assert_eq!(world.actions().await.iter().filter(|act| *act == "transfers.cancel").count(), 1);
        // Somebody has looked, and says so.
        let path = format!("/admin/v1/transfers/{}/cancel", parcel.transfer_id(0));
        let told = world.post(&path, json!({"reason": "the network is gone", "unpaid": true})).await.ok();
        assert_eq!(told["state"], "cancelled");
        assert_eq!(balances(&world).await, ("10".to_owned(), "0".to_owned()));
    }
}

#[tokio::test]
async fn what_is_signed_keeps_its_money_and_the_signer_is_told() {
    let (world, parcel, _) = held(&MemoryStore::new(), ParcelState::Assigned).await;
    let parcel = signed(&world, &parcel).await;
    let told = cancel(&world, &parcel).await.ok();
    assert_eq!((&told["state"], &told["cancelRequested"]), (&json!("assigned"), &json!(true)));
    assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()));
    let messages = world.queue.drain(REQUESTS);
    let request: SignRequest = serde_json::from_str(&messages[0].body).expect("a sign request");
    assert_eq!((request.number, request.reason, &request.lane), (4, SignReason::Cancel, &parcel.wallet));
    let stored = stored(&world, &parcel).await;
    assert!(stored.due_at.is_some(), "where that message is lost, the sweep asks");
    assert_eq!(stored.cancel.expect("on record").by, "olga");
    assert_eq!(cancel(&world, &parcel).await.ok()["cancelRequested"], true);
    assert_eq!(world.queue.len(REQUESTS), 0, "one message, within a moment");
    let acts = world.actions().await;
    assert_eq!(acts.iter().filter(|act| *act == "transfers.cancel").count(), 2, "a repeat may have another one signed");
    world.queue.set_fault(|_, _| Fault::RefuseBefore);
    assert_eq!(cancel(&world, &parcel).await.status, 500, "no sweep says it again: whoever repeats must know");
    assert_eq!(balances(&world).await, ("6".to_owned(), "4".to_owned()));
}

#[tokio::test]
async fn a_lost_message_is_left_to_the_sweep() {
    let (world, parcel, _) = held(&MemoryStore::new(), ParcelState::Assigned).await;
    let parcel = signed(&world, &parcel).await;
    world.queue.set_fault(|_, _| Fault::RefuseBefore);
    assert_eq!(cancel(&world, &parcel).await.ok()["cancelRequested"], true);
    assert!(stored(&world, &parcel).await.due_at.is_some());
}

#[tokio::test]
async fn what_has_ended_or_was_told_as_paid_is_not_cancelled() {
    for state in [ParcelState::Confirmed, ParcelState::Reopened, ParcelState::Failed, ParcelState::Rejected] {
        let (world, parcel, _) = held(&MemoryStore::new(), state).await;
        assert_eq!(cancel(&world, &parcel).await.refusal(), (409, "CONFLICT".to_owned(), "id".to_owned()), "{state:?}");
        assert_eq!(stored(&world, &parcel).await.cancel, None);
    }
    let world = World::new();
    let unknown = causeway_domain::id::ParcelId::derived(&["nobody's"]);
    let path = format!("/admin/v1/transfers/tr_{}-0/cancel", unknown.bare());
    let refused = world.post(&path, json!({"reason": "a test"})).await.refusal();
    assert_eq!(refused, (404, "NOT_FOUND".to_owned(), "id".to_owned()));
}
