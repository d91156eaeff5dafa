//! Operators at bad moments, through their own routes.

use causeway_domain::{Clock, parcel::ParcelState};
use causeway_queue::Message;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    clock::give_way,
    faults::{CommitRule, any},
};
use causeway_state::{dead_letter::Status, message::queues};
use causeway_store::memory::CommitFault;
use futures::future::join;

/// A withdrawal that nobody signed yet, whose message was given up.
fn given_up(setup: Setup) -> (World, String) {
    let mut world = World::new(setup);
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.collect();
    let letters = world.inbox.of(queues::TRANSFERS_NORMAL);
    let messages: Vec<Message> = letters.into_iter().map(|letter| letter.message.clone()).collect();
    world.inbox.lose(queues::TRANSFERS_NORMAL);
    world.inbox.put(queues::TRANSFERS_DEAD, messages, &world.clock);
    world.deliver_all(queues::TRANSFERS_DEAD);
    assert_eq!(world.dead_letters().len(), 1);
    (world, id)
}

#[test]
fn a_refund_and_a_signature_at_once_end_in_one_of_them() {
    let mut ends = [0, 0];
    for seed in 0..60 {
        let (mut world, id) = given_up(Setup { seed, ..Setup::default() });
        let letter = world.dead_letters()[0].clone();
        world.inbox.put(
            queues::TRANSFERS_NORMAL,
            vec![Message { body: letter.body.clone(), ..Message::default() }],
            &world.clock,
        );
        let batch = world.receive(queues::TRANSFERS_NORMAL).expect("a batch");
        let refund = world.of_letter("refund", letter.id);
        world.crossing.set(true);
        let (request, later) = (world.operate(&refund.path, refund.body.clone()), world.clock.below(120));
        let asked = async {
            for _ in 0..later {
                give_way().await;
            }
            request.await
        };
        let (failed, answer) = world.clock.run(join(world.work(queues::TRANSFERS_NORMAL, batch.clone()), asked));
        world.crossing.set(false);
        world.worked_off(&batch, Some(&failed));
        world.heard(refund, Some(&answer));
        world.finish();
        let letters = world.dead_letters();
        let refunded = letters.iter().any(|one| one.id == letter.id && one.status == Status::Refunded);
        let state = world.parcel(&id).state;
        assert_eq!(refunded, state == ParcelState::Rejected, "seed {seed}: {answer:?} {letters:?}");
        assert_eq!(!refunded, state == ParcelState::Confirmed, "seed {seed}: {answer:?} {letters:?}");
        ends[usize::from(refunded)] += 1;
    }
    assert!(ends.iter().all(|end| *end > 0), "the race went one way only: {ends:?}");
}

#[test]
fn what_is_signed_is_neither_refunded_nor_set_aside_and_its_replay_pays_nothing() {
    let (mut world, id) = given_up(Setup::default());
    let letter = world.dead_letters()[0].id;
    let replay = world.of_letter("replay", letter);
    assert!(world.act(&replay).status.is_success());
    world.until("its number", |world| world.parcel(&id).number.is_some());
    let before = world.money("acme", "TUSD");
    for verb in ["refund", "discard"] {
        let act = world.of_letter(verb, letter);
        assert_eq!(world.act(&act).code(), "CONFLICT", "{verb}");
    }
    assert_eq!(world.money("acme", "TUSD"), before);
    world.finish();
    for _ in 0..3 {
        assert!(world.act(&replay).status.is_success(), "of what is paid");
        world.finish();
    }
    let paid = world.on_chain(recipient("rosa"), world.asset("TUSD").address);
    assert_eq!(paid, alloy_primitives::U256::from(1_000_000));
    assert_eq!(world.lane_view("acme").expect("begun").next, 1);
    let refund = world.of_letter("refund", letter);
    assert_eq!(world.act(&refund).code(), "CONFLICT");
    let discard = world.of_letter("discard", letter);
    assert!(world.act(&discard).status.is_success());
    world.check_end();
}

#[test]
fn a_credit_and_a_debit_whose_replies_are_lost_move_money_once() {
    for verb in ["credit", "debit"] {
        for fault in [CommitFault::LoseReply, CommitFault::LoseCall, CommitFault::Delay, CommitFault::Contended] {
            for tries in [1, 7, 12] {
                let mut world = World::new(Setup::default());
                let before = world.money("acme", "TUSD").available;
                world.script.commit(CommitRule { which: any, skip: 0, tries, fault });
                let act = world.movement(verb, "acme", "TUSD", 5);
                assert!(world.act(&act).status.is_success(), "{verb} {fault:?} {tries}");
                world.rows.land();
                assert!(world.script.struck() > 0);
                for _ in 0..3 {
                    assert!(world.act(&act).status.is_success());
                }
                let sign = if verb == "credit" { 1 } else { -1 };
                assert_eq!(world.money("acme", "TUSD").available - before, sign * 5_000_000, "{fault:?} {tries}");
                world.check();
                world.square_up();
                world.check_end();
            }
        }
    }
}

#[test]
fn a_credit_is_spent_at_once_and_its_transfer_waits_until_the_treasury_has_it() {
    let mut world = World::new(Setup { tokens: 1, ..Setup::default() });
    world.track();
    let credit = world.movement("credit", "acme", "TBLK", 4);
    assert!(world.act(&credit).status.is_success());
    let id = world.withdraw("TBLK", "5", recipient("rosa"));
    world.pass(30_000);
    assert_eq!(world.parcel(&id).state, ParcelState::Waiting);
    let debit = world.movement("debit", "acme", "TBLK", 1);
    assert_eq!(world.act(&debit).code(), "INSUFFICIENT_FUNDS", "all of it is held");
    world.square_up();
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

#[test]
fn a_block_that_is_answered_lets_nothing_be_signed_until_it_is_lifted() {
    for scope in World::new(Setup::default()).scopes() {
        let mut world = World::new(Setup::default());
        world.track();
        let key = "k";
        let ask = |world: &mut World| {
            let answer = world.clock.run(world.request("globex", Some(key), "TUSD", "1", recipient("gina")));
            (answer.status.is_success()).then(|| world.take_note("globex", &answer))
        };
        let taken = ask(&mut world).is_some();
        assert!(taken);
        world.withdraw("TUSD", "1", recipient("rosa"));
        let block = world.switch(&scope, true);
        assert!(world.act(&block).status.is_success());
        world.pass(20_000);
        let signed = world.parcels().iter().filter(|parcel| parcel.number.is_some()).count();
        assert_eq!(signed, if scope.text().starts_with("network") { 0 } else { 1 }, "{}", scope.text());
        let lift = world.switch(&scope, false);
        assert!(world.act(&lift).status.is_success());
        world.finish();
        assert!(world.parcels().iter().all(|parcel| parcel.state == ParcelState::Confirmed));
    }
}

#[test]
fn a_message_that_dies_of_its_first_failure_is_replayed_from_the_operators_list() {
    let mut world = World::new(Setup::default());
    world.inbox.receives_max = 1;
    world.track();
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    assert_eq!(world.deliver_and_kill(queues::TRANSFERS_NORMAL, 0), Some(true));
    world.deliver_all(queues::TRANSFERS_DEAD);
    assert!(world.asks_people());
    world.look_at_letters();
    assert!(!world.asks_people());
    let now = world.clock.now_ms();
    world.finish();
    assert!(world.clock.now_ms() > now);
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

/// A repeat of its message finds it rejected, and validate-sign tells people of that as of its own rejections: the new
/// dead letter carries the operator's own note as its reason, and nothing hangs on it.
#[test]
fn a_refunded_transfer_whose_message_comes_again_is_no_new_case() {
    let (mut world, id) = given_up(Setup::default());
    let letter = world.dead_letters()[0].clone();
    let refund = world.of_letter("refund", letter.id);
    assert!(world.act(&refund).status.is_success());
    world.hand(queues::TRANSFERS_NORMAL, &[letter.body]);
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Rejected);
    assert!(!world.asks_people(), "{:?}", world.dead_letters());
}
