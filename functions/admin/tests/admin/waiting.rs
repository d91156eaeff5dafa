//! What waits: the operators' list of transfers that are looked at again by themselves.

use causeway_domain::{id::ParcelId, lane::LaneId, parcel::ParcelState, verdict::WaitReason};
use causeway_http::time::iso;
use causeway_state::{
    parcel::{CancelAsked, Parcel},
    wallet::Treasury,
};
use causeway_store::Write;
use serde_json::{Value, json};

use crate::{
    refund::parcel,
    support::{NOW, World},
};

const WAITING: &str = "/admin/v1/transfers/waiting";

/// One of each kind: for fees, for room on its lane, to be published again, and to be cancelled beside what is signed; and
/// one that nothing looks at again.
async fn all_kinds(world: &World) -> [Parcel; 5] {
    let acme = world.treasury("acme").await;
    let globex = world.treasury("globex").await;
    let new = |name: &str, treasury: &str| Parcel {
        id: ParcelId::derived(&[name]),
        ..parcel(treasury, ParcelState::Accepted)
    };
    let asked = CancelAsked { by: "alice".to_owned(), at: NOW, reason: None };
    let signed = new("cancelled", &acme).assigned(3, Default::default(), NOW);
    let all = [
        new("fees", &acme).waiting(WaitReason::FeeAboveCap, NOW + 10_000, NOW),
        Parcel { tenant: "globex".parse().expect("a tenant"), ..new("room", &globex) }.waiting(
            WaitReason::LaneFull,
            NOW + 20_000,
            NOW,
        ),
        Parcel { due_at: Some(NOW + 30_000), ..new("again", &acme) },
        signed.cancel_asked(asked, NOW),
        new("signed", &acme).assigned(4, Default::default(), NOW),
    ];
    for one in &all {
        world.put(one.create().expect("a row")).await;
    }
    all
}

fn told(parcel: &Parcel) -> Value {
    let mut told = json!({
        "transferId": parcel.transfer_id(0), "tenant": parcel.tenant, "lane": parcel.wallet, "amount": "4",
        "symbol": "TUSD", "state": parcel.state.as_str(), "cancelRequested": parcel.cancel.is_some(),
        "createdAt": iso(NOW), "dueAt": iso(parcel.due_at.expect("due")),
    });
    if let Some(wait) = &parcel.wait {
        told["dueAt"] = json!(iso(wait.wake_at));
        told["waitingFor"] = json!(wait.reason);
    }
    told
}

fn sorted(mut items: Vec<Value>) -> Vec<Value> {
    items.sort_by_key(|item| item["transferId"].to_string());
    items
}

#[tokio::test]
async fn all_that_waits_is_told_whatever_for_and_whosever_it_is() {
    let world = World::new();
    let all = all_kinds(&world).await;
    let expected = sorted(all[..4].iter().map(told).collect());
    for limit in [1, 2, 100] {
        assert_eq!(sorted(world.all(WAITING, limit).await), expected, "pages of {limit}");
        assert_eq!(sorted(world.all(&format!("{WAITING}?network=local"), limit).await), expected, "pages of {limit}");
    }
}

#[tokio::test]
async fn another_networks_waits_are_left_out() {
    let world = World::new();
    all_kinds(&world).await;
    assert_eq!(world.all(&format!("{WAITING}?network=sepolia"), 100).await, Vec::<Value>::new());
}

#[tokio::test]
async fn what_waits_on_a_network_that_was_switched_off_is_told_by_its_name() {
    let world = World::new();
    let address = world.treasury("acme").await;
    let [known, past] = ["local", "past"].map(|network| LaneId {
        network: network.parse().expect("a name"),
        address: address.parse().expect("an address"),
    });
    let mut row = world.row(&Treasury::lane_key(&known)).await.expect("registered");
    for own in ["pk", "sk", "version", "last_commit"] {
        row.remove(own);
    }
    world.put(Write::create(Treasury::lane_key(&past), row)).await;
    let accepted = Parcel { wallet: past, ..parcel(&address, ParcelState::Accepted) };
    let fees = accepted.waiting(WaitReason::FeeAboveCap, NOW + 10_000, NOW);
    world.put(fees.create().expect("a row")).await;
    assert_eq!(world.all(&format!("{WAITING}?network=past"), 100).await, [told(&fees)]);
}

#[tokio::test]
async fn what_went_on_behind_an_index_that_lags_is_left_out() {
    let world = World::new();
    let [fees, ..] = all_kinds(&world).await;
    world.store.set_index_lag(1_000);
    let row = world.row(&Parcel::key(fees.id)).await.expect("a row");
    world.put(fees.moved(row.version(), fees.assigned(5, Default::default(), NOW)).expect("a move")).await;
    let told = world.all(WAITING, 100).await;
    assert_eq!(told.len(), 3);
    assert!(told.iter().all(|item| item["transferId"] != json!(fees.transfer_id(0))), "{told:?}");
}

#[tokio::test]
async fn a_network_that_is_not_enabled_and_a_bad_page_are_refused() {
    let world = World::new();
    for (query, field) in
        [("network=nowhere", "network"), ("limit=0", "limit"), ("cursor=1", "cursor"), ("state=waiting", "query")]
    {
        let refusal = world.get(&format!("{WAITING}?{query}")).await.refusal();
        assert_eq!(refusal, (400, "VALIDATION_ERROR".to_owned(), field.to_owned()), "{query}");
    }
}
