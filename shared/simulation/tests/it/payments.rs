//! A transfer that meets no obstacle.

use alloy_primitives::{Address, U256};
use causeway_domain::parcel::ParcelState;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    world::{TUSD, TUSDT},
};

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
