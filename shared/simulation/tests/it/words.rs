//! A dead end that only people end: a final block has our transaction, it succeeded, and its logs prove something other than
//! what was asked for.

use alloy_primitives::U256;
use causeway_chains::model::TokenKind;
use causeway_domain::{id::DeadLetterId, parcel::ParcelState};
use causeway_simulation::{
    Setup, World,
    api::recipient,
    clock::give_way,
    faults::{CommitRule, any},
    world::TUSDT,
};
use causeway_state::{dead_letter::Status, lane::Outcome, message::queues};
use causeway_store::memory::CommitFault;
use futures::future::join;

/// A withdrawal of 100 of a token that keeps so many hundredths for itself, in a final block and in front of people.
fn asked(hundredths: u8, seed: u64) -> (World, String, DeadLetterId) {
    let mut world = World::new(Setup { seed, ..Setup::default() });
    world.chain.add_token(TUSDT, TokenKind::Fee(hundredths));
    let id = world.withdraw("TUSDT", "100", recipient("rosa"));
    world.until("an operator's case", World::asks_people);
    world.pass(5_000);
    let letter = open(&world);
    (world, id, letter)
}

/// The only dead letter that is open.
fn open(world: &World) -> DeadLetterId {
    let letters = world.dead_letters();
    let mut open = letters.iter().filter(|letter| letter.status == Status::Open);
    let one = open.next().expect("one that waits for people").id;
    assert!(open.next().is_none(), "{letters:?}");
    one
}

fn outcome(world: &World) -> Option<Outcome> {
    world.lane_view("acme").expect("begun").transactions[0].0.outcome.clone()
}

#[test]
fn a_token_that_takes_a_fee_is_in_front_of_people_and_a_replay_changes_nothing() {
    let (mut world, id, letter) = asked(3, 1);
    let before = (world.parcel(&id), world.money("acme", "TUSDT"), outcome(&world));
    assert_eq!((before.0.state, before.1.held), (ParcelState::Assigned, 100_000_000));
    for verb in ["refund", "discard"] {
        let act = world.of_letter(verb, letter);
        assert_eq!(world.act(&act).code(), "CONFLICT", "{verb}");
    }
    for _ in 0..3 {
        let letter = open(&world);
        let replay = world.of_letter("replay", letter);
        assert!(world.act(&replay).status.is_success());
        let early = world.settle_letter(letter, true);
        assert_eq!(world.act(&early).code(), "CONFLICT", "it is replayed");
        world.until("the same case", World::asks_people);
        assert_eq!((world.parcel(&id), world.money("acme", "TUSDT"), outcome(&world)), before);
        assert_eq!(open(&world), letter, "it opens again");
    }
    let word = world.settle_letter(open(&world), true);
    assert!(world.act(&word).status.is_success());
    world.finish();
    for letter in world.dead_letters() {
        let act = world.of_letter("discard", letter.id);
        assert_eq!(world.act(&act).status.is_success(), letter.status == Status::Replayed, "{letter:?}");
    }
    assert!(!world.asks_people());
    world.check_end();
}

/// What the token kept it took out of what was asked for: the treasury paid exactly what was held.
#[test]
fn what_people_say_was_paid_is_confirmed_and_books_and_chain_agree() {
    let (mut world, id, letter) = asked(3, 1);
    let free = world.money("acme", "TUSDT").available;
    let word = world.settle_letter(letter, true);
    assert!(world.act(&word).status.is_success());
    let other = world.settle_letter(letter, false);
    assert_eq!(world.act(&other).code(), "CONFLICT", "nobody takes it back");
    assert!(world.act(&word).status.is_success(), "once more");
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
    let money = world.money("acme", "TUSDT");
    assert_eq!((money.available, money.held, money.posted), (free, 0, 100_000_000));
    assert!(matches!(outcome(&world), Some(Outcome::Paid { .. })), "{:?}", outcome(&world));
    assert_eq!(world.on_chain(recipient("rosa"), TUSDT), U256::from(97_000_000));
    // The lane goes on, and so does the token with people's help.
    let next = world.withdraw("TUSD", "1", recipient("rosa"));
    world.finish();
    assert_eq!(world.parcel(&next).state, ParcelState::Confirmed);
}

/// It kept all of it: nobody was paid, and the treasury has less all the same, which an operator tells the books.
#[test]
fn what_people_say_was_not_paid_is_released_and_a_debit_tells_the_books_what_left() {
    let (mut world, id, letter) = asked(100, 1);
    let free = world.money("acme", "TUSDT").available;
    assert_eq!(world.on_chain(recipient("rosa"), TUSDT), U256::ZERO);
    let word = world.settle_letter(letter, false);
    assert!(world.act(&word).status.is_success());
    assert_eq!(world.parcel(&id).state, ParcelState::Failed);
    let status = world.status(&id);
    assert_eq!(status.text("status"), "FAILED");
    assert!(status.text("error").contains("did not pay what was asked for"), "{status:?}");
    assert_eq!(world.money("acme", "TUSDT").available, free + 100_000_000);
    assert!(
        matches!(outcome(&world), Some(Outcome::Reverted { .. })),
        "its gas is in the books: {:?}",
        outcome(&world)
    );
    let debit = world.movement("debit", "acme", "TUSDT", 100);
    assert!(world.act(&debit).status.is_success());
    assert_eq!(world.money("acme", "TUSDT").available, free);
    world.finish();
}

#[test]
fn a_word_whose_reply_is_lost_is_carried_out_once() {
    for paid in [true, false] {
        for fault in [CommitFault::LoseReply, CommitFault::LoseCall, CommitFault::Delay, CommitFault::Contended] {
            for tries in [1, 7, 12] {
                let (mut world, id, letter) = asked(if paid { 3 } else { 100 }, 1);
                let before = world.money("acme", "TUSDT").available;
                world.script.commit(CommitRule { which: any, skip: 0, tries, fault });
                let word = world.settle_letter(letter, paid);
                assert!(world.act(&word).status.is_success(), "{paid} {fault:?} {tries}");
                world.rows.land();
                assert!(world.script.struck() > 0);
                assert!(world.act(&word).status.is_success());
                let state = if paid { ParcelState::Confirmed } else { ParcelState::Failed };
                assert_eq!(world.parcel(&id).state, state);
                let back = if paid { 0 } else { 100_000_000 };
                assert_eq!(world.money("acme", "TUSDT").available - before, back, "{fault:?} {tries}");
                world.check();
            }
        }
    }
}

/// Two operators say different things while a replay of the same is worked off: one word counts, and settle changes nothing.
#[test]
fn of_two_words_at_once_one_is_carried_out() {
    let mut ends = [0, 0];
    for seed in 0..40 {
        let (mut world, id, letter) = asked(100, seed);
        let body = world.dead_letters().iter().find(|one| one.id == letter).expect("there").body.clone();
        world.inbox.put(
            queues::CHAIN_EVENTS,
            vec![causeway_queue::Message { body, ..causeway_queue::Message::default() }],
            &world.clock,
        );
        let batch = world.receive(queues::CHAIN_EVENTS).expect("a batch");
        let words = [true, false].map(|paid| world.settle_letter(letter, paid));
        world.crossing.set(true);
        let later = world.clock.below(40);
        let [yes, no] = [&words[0], &words[1]].map(|word| world.operate(&word.path, word.body.clone()));
        let second = async {
            for _ in 0..later {
                give_way().await;
            }
            no.await
        };
        let work = world.work(queues::CHAIN_EVENTS, batch.clone());
        let (failed, (yes, no)) = world.clock.run(join(work, join(yes, second)));
        world.crossing.set(false);
        world.worked_off(&batch, Some(&failed));
        let paid = world.parcel(&id).state == ParcelState::Confirmed;
        assert_eq!(yes.status.is_success(), paid, "seed {seed}: {yes:?} {no:?}");
        assert_eq!(
            no.status.is_success(),
            world.parcel(&id).state == ParcelState::Failed,
            "seed {seed}: {yes:?} {no:?}"
        );
        assert_ne!(yes.status.is_success(), no.status.is_success(), "seed {seed}: {yes:?} {no:?}");
        world.check();
        ends[usize::from(paid)] += 1;
    }
    assert!(ends.iter().all(|end| *end > 0), "the race went one way only: {ends:?}");
}

#[test]
fn what_people_must_say_is_one_dead_letter_however_often_it_is_told() {
    let mut world = World::new(Setup { reconcile_ms: 120_000, ..Setup::default() });
    world.chain.add_token(TUSDT, TokenKind::ToldElsewhere);
    world.next_block_at = None;
    let ids: Vec<String> = (0..3).map(|n| world.withdraw("TUSDT", "3", recipient(&format!("{n}")))).collect();
    world.until("all at a node", |world| world.chain.pooled().len() == 3);
    // One block has them, and one message tells of all three.
    world.next_block_at = Some(causeway_domain::Clock::now_ms(&world.clock));
    world.until("an operator's case", |world| !world.dead_letters().is_empty());
    let told = world.inbox.count();
    world.pass(900_000);
    assert!(world.inbox.count() > told, "it was told again");
    assert_eq!(world.dead_letters().len(), 3, "one for each");
    for letter in world.dead_letters() {
        let word = world.settle_letter(letter.id, true);
        assert!(world.act(&word).status.is_success(), "nobody has to say which: {letter:?}");
    }
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
    assert!(!world.asks_people());
}
