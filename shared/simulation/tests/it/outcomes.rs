//! What a block says of a transaction, and when it counts.

use alloy_primitives::U256;
use causeway_chains::model::{Provider, Receipts};
use causeway_domain::parcel::ParcelState;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    faults::{CommitRule, EVERY_TRY, settles},
};
use causeway_state::{lane::Outcome, message::queues, tracker::InclusionChunk};
use causeway_store::{Store, memory::CommitFault};

/// A world whose only withdrawal passes every trial and reverts in its block.
fn reverting() -> (World, String) {
    let mut world = World::new(Setup::default());
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("blacklisted"), true);
    world.chain.set_lenient(token, true);
    let id = world.withdraw("TBLK", "7", recipient("blacklisted"));
    (world, id)
}

/// Blocks on top of and including the one that holds the lane's first number.
fn depth(world: &World) -> u64 {
    let inclusions = world.chain.inclusions(world.lane("acme").address);
    let height = inclusions.get(&0).and_then(|list| list.last()).map(|inclusion| inclusion.receipt.block_number);
    height.map_or(0, |height| world.head().map_or(0, |head| (head.height + 1).saturating_sub(height)))
}

#[test]
fn a_revert_releases_nothing_before_it_is_final_and_then_tells_why() {
    let (mut world, id) = reverting();
    let free = world.money("acme", "TBLK").available;
    while depth(&world) < world.network.final_at {
        assert_eq!(world.money("acme", "TBLK").held, 7_000_000);
        assert!(world.parcel(&id).state.holds_money());
        world.step();
    }
    world.finish();
    assert_eq!(world.money("acme", "TBLK").available, free + 7_000_000);
    let status = world.status(&id);
    assert_eq!(status.text("status"), "FAILED");
    assert!(status.text("error").contains("Blacklisted"), "{status:?}");
    let failure = world.parcel(&id).failure.expect("told");
    assert_eq!(failure.code, "REVERTED");
    let outcome = world.lane_view("acme").expect("begun").transactions[0].0.outcome.clone();
    assert!(matches!(outcome, Some(Outcome::Reverted { .. })), "its gas is in the books: {outcome:?}");
}

#[test]
fn a_token_that_reports_failure_by_false_has_not_paid() {
    let mut world = World::new(Setup::default());
    let id = world.withdraw("TFALSE", "3", recipient("rosa"));
    while depth(&world) < world.network.final_at {
        assert_eq!(world.money("acme", "TFALSE").held, 3_000_000);
        world.step();
    }
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
    assert_eq!(world.parcel(&id).failure.map(|failure| failure.code).as_deref(), Some("NOT_MOVED"));
    assert_eq!(world.on_chain(recipient("rosa"), world.asset("TFALSE").address), U256::ZERO);
}

#[test]
fn success_is_told_when_confirmed_and_not_before() {
    let mut world = World::new(Setup::default());
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    while depth(&world) < world.network.confirmed_at {
        assert_ne!(world.status(&id).text("status"), "COMPLETED");
        assert_eq!(world.money("acme", "TUSD").held, 1_000_000);
        world.step();
    }
    world.pass(1_000);
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
    world.finish();
}

#[test]
fn a_lost_reply_of_the_settling_commit_posts_once() {
    for failing in [false, true] {
        for (tries, fault) in [
            (1, CommitFault::LoseReply),
            (EVERY_TRY, CommitFault::LoseReply),
            (EVERY_TRY, CommitFault::LoseCall),
            (EVERY_TRY, CommitFault::Delay),
            (EVERY_TRY, CommitFault::Contended),
        ] {
            let (mut world, id) = reverting();
            let paid = world.withdraw("TUSD", "1", recipient("rosa"));
            let skip = u32::from(failing);
            world.script.commit(CommitRule { which: settles, skip, tries, fault });
            world.until("the fault", |world| world.script.struck() > 0);
            world.pass(8_000);
            world.rows.land();
            world.finish();
            assert_eq!(world.parcel(&id).state, ParcelState::Failed);
            assert_eq!(world.parcel(&paid).state, ParcelState::Confirmed);
        }
    }
}

#[test]
fn repeated_and_reordered_stages_settle_once() {
    for seed in 0..20 {
        let mut world = World::new(Setup { seed, ..Setup::default() });
        let token = world.asset("TBLK").address;
        world.chain.set_blacklisted(token, recipient("blacklisted"), true);
        world.chain.set_lenient(token, true);
        world.inbox.shuffled = 1000;
        world.inbox.repeated = 400;
        for number in 0..12 {
            let to = if number % 4 == 0 { "blacklisted".to_owned() } else { format!("{number}") };
            world.withdraw("TBLK", "1", recipient(&to));
            world.step();
        }
        world.held.insert(queues::CHAIN_EVENTS);
        world.pass(12_000);
        world.held.clear();
        world.finish();
        let failed = world.parcels().iter().filter(|parcel| parcel.state == ParcelState::Failed).count();
        assert_eq!(failed, 3);
    }
}

#[test]
fn a_stage_that_cannot_be_read_is_told_to_the_operators() {
    let mut world = World::new(Setup::default());
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(1_000);
    assert_eq!(world.hand(queues::CHAIN_EVENTS, &["{\"stage\":\"confirmed\"}".to_owned()]), 0);
    world.finish();
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.contains("not a stage's"), "{letters:?}");
}

/// Some nodes tell a block's receipts before they have its logs: the same question is answered better a moment later.
#[test]
fn a_payment_whose_receipt_had_no_logs_when_its_block_was_new_is_paid() {
    let mut world = World::new(Setup::default());
    world.chain.set_provider(0, Provider { receipts: Receipts::Logless(4), ..Provider::default() });
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    while depth(&world) < world.network.final_at {
        assert_eq!(world.money("acme", "TUSD").held, 1_000_000);
        world.step();
    }
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

/// By the time that success is told they have them.
#[test]
fn a_payment_whose_receipt_had_no_logs_at_first_is_told_when_it_is_confirmed() {
    let mut world = World::new(Setup { confirmed_at: 3, ..Setup::default() });
    world.chain.set_provider(0, Provider { receipts: Receipts::Logless(2), ..Provider::default() });
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("its depth", |world| depth(world) > world.network.confirmed_at);
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed, "not only when it is final");
    let settled = world.parcel(&id).settled.expect("by a block");
    let query = InclusionChunk::query(&world.network.id, settled.height, settled.block_hash);
    let rows = world.clock.run(world.rows.query(&query)).expect("memory does not fail").items;
    let first: InclusionChunk = rows[0].parse().expect("a chunk");
    assert_eq!(first.inclusions[0].moved.len(), 1, "and what is read first says so: reconciliation reads it");
    world.finish();
}

/// To a node that lags, a block that is final for others is as new as it was.
#[test]
fn a_node_that_lags_does_not_tell_that_nobody_was_paid() {
    let mut world = World::new(Setup { providers: 2, ..Setup::default() });
    world.chain.set_provider(0, Provider { receipts: Receipts::Logless(4), ..Provider::default() });
    world.chain.set_provider(1, Provider { lag: 4, receipts: Receipts::Logless(4), ..Provider::default() });
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    while depth(&world) + 1 < world.network.final_at {
        world.step();
    }
    world.chain.set_provider(0, Provider { receipts: Receipts::Late, ..Provider::default() });
    while depth(&world) < world.network.final_at + 1 {
        world.step();
        assert!(world.parcel(&id).state.holds_money(), "the only one that tells it is behind");
    }
    world.chain.set_provider(0, Provider::default());
    world.chain.set_provider(1, Provider::default());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

/// What it tells of a payment is proof all the same.
#[test]
fn a_node_that_lags_proves_a_payment_that_another_one_denies() {
    let mut world = World::new(Setup { providers: 2, ..Setup::default() });
    world.chain.set_provider(0, Provider { receipts: Receipts::Logless(1_000), ..Provider::default() });
    world.chain.set_provider(1, Provider { lag: 1, ..Provider::default() });
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("an operator's case", World::asks_people);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "its money is held");
    let [letter] = world.dead_letters().try_into().expect("one letter");
    let word = world.settle_letter(letter.id, true);
    assert!(world.act(&word).status.is_success());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn nothing_is_released_while_nobody_tells_a_receipt_again() {
    let (mut world, id) = reverting();
    while depth(&world) + 1 < world.network.final_at {
        world.step();
    }
    world.chain.set_provider(0, Provider { receipts: Receipts::Late, ..Provider::default() });
    world.pass(30_000);
    assert!(depth(&world) > world.network.final_at);
    assert!(world.parcel(&id).state.holds_money());
    world.chain.set_provider(0, Provider::default());
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
}

#[test]
fn where_providers_tell_different_receipts_people_decide() {
    for first in [0, 1] {
        let mut world = World::new(Setup { providers: 2, ..Setup::default() });
        world.chain.set_provider(0, Provider { receipts: Receipts::Logless(10), ..Provider::default() });
        let id = world.withdraw("TUSD", "1", recipient("rosa"));
        while depth(&world) < 2 {
            world.step();
        }
        // Whoever told it as unpaid, and whichever is asked now: they differ.
        let logless = Provider { receipts: Receipts::Logless(1_000), ..Provider::default() };
        world.chain.set_provider(0, Provider::default());
        world.chain.set_provider(first, logless);
        world.until("an operator's case", World::asks_people);
        world.pass(60_000);
        assert_eq!(world.parcel(&id).state, ParcelState::Assigned);
        let [letter] = world.dead_letters().try_into().expect("one letter");
        assert!(letter.reason.contains("different receipts"), "{}", letter.reason);
        let word = world.settle_letter(letter.id, true);
        assert!(world.act(&word).status.is_success());
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    }
}
