//! A transfer that meets no obstacle.

use alloy_primitives::{Address, U256};
use causeway_domain::parcel::ParcelState;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    world::{TUSD, TUSDT},
};
use causeway_state::message::queues;

#[test]
fn a_withdrawal_of_the_coin_becomes_final() {
    let mut world = World::new(Setup::default());
    let to = recipient("rosa");
    let id = world.withdraw("ETH", "1.5", to);
    assert_eq!(world.status(&id).text("status"), "PENDING");
    world.finish();
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert_eq!(world.on_chain(to, Address::ZERO), U256::from(1_500_000_000_000_000_000_u64));
}

#[test]
fn tokens_are_paid_whether_or_not_they_return_a_value() {
    let mut world = World::new(Setup::default());
    let to = recipient("rosa");
    let ids = [world.withdraw("TUSD", "12.5", to), world.withdraw("TUSDT", "0.000001", to)];
    world.finish();
    for id in ids {
        assert_eq!(world.status(&id).text("status"), "COMPLETED");
    }
    assert_eq!(world.on_chain(to, TUSD), U256::from(12_500_000));
    assert_eq!(world.on_chain(to, TUSDT), U256::from(1));
}

/// As many messages as one batch of a standard queue may have; each transfer is in it five times.
#[test]
fn ten_thousand_messages_in_one_batch_pay_each_transfer_once() {
    const TRANSFERS: usize = 2_000;
    let mut world = World::new(Setup::default());
    world.held.insert(queues::TRANSFERS_NORMAL);
    world.withdraw("TUSD", "1", recipient("first"));
    world.pass(1_000);
    let ids: Vec<String> =
        (0..TRANSFERS).map(|one| world.withdraw("TUSD", "1", recipient(&format!("{one}")))).collect();
    world.collect();
    let bodies: Vec<String> =
        world.inbox.of(queues::TRANSFERS_NORMAL).iter().map(|letter| letter.message.body.clone()).collect();
    let batch: Vec<String> = (0..5).flat_map(|_| bodies.iter().skip(1).cloned()).collect();
    assert_eq!(batch.len(), 10_000);
    world.hand(queues::TRANSFERS_NORMAL, &batch);
    world.held.clear();
    world.finish();
    for (one, id) in ids.iter().enumerate() {
        assert_eq!(world.parcel(id).state, ParcelState::Confirmed);
        assert_eq!(world.on_chain(recipient(&format!("{one}")), TUSD), U256::from(1_000_000));
    }
}
