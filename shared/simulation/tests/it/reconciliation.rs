//! Reconciliation: a sound world reports nothing, whatever befalls it, and each planted difference is found.

use alloy_primitives::{Address, B256, Bytes, U256};
use causeway_chains::model::{Fault, Orphans, Provider, Reorg, TokenKind};
use causeway_domain::{Amount, Clock, parcel::ParcelState};
use causeway_runtime::metrics::DIFFERENCES;
use causeway_simulation::{
    Setup, World,
    api::recipient,
    faults::ChainScript,
    weather::{Class, Weather},
    world::{TENANTS, TUSD, TUSDT},
};
use causeway_state::{
    lane::{Attempt, Counter, Gate, Outcome, Transaction},
    ledger::{AccountId, Owner, hold_entry},
    message::queues,
    parcel::Parcel,
    reconciliation::{Difference, Kind, Report},
};
use causeway_status_check::reconcile::EVERY_MS;
use causeway_store::{Item, Key, Update, Value, Write};
use std::sync::Arc;

/// Longer than from what was found to the look that tells it.
pub(crate) const TOLD_WITHIN_MS: u64 = 100_000;

pub(crate) fn report(world: &World, tenant: &str) -> Report {
    let row = world.row(&Report::key(&world.lane(tenant))).expect("looked at");
    row.parse().expect("a report")
}

/// A world with reports all the time, in which some transfers have ended.
pub(crate) fn settled() -> (World, Vec<String>) {
    let mut world = World::new(Setup { reconcile_ms: 60_000, ..Setup::default() });
    world.track();
    let ids = (0..4).map(|n| world.withdraw(["TUSD", "ETH"][n % 2], "1", recipient(&format!("{n}")))).collect();
    world.finish();
    (world, ids)
}

/// Lets two looks pass and answers what acme's report tells.
fn told(world: &mut World) -> Vec<Difference> {
    world.pass(TOLD_WITHIN_MS + 60_000);
    report(world, "acme").differences
}

fn kinds(told: &[Difference]) -> Vec<Kind> {
    let mut kinds: Vec<Kind> = told.iter().map(|difference| difference.kind).collect();
    kinds.sort_unstable();
    kinds.dedup();
    kinds
}

/// Nothing was ever told, and looks were made.
pub(crate) fn nothing_was_told(world: &World) {
    let values = world.measured.values(DIFFERENCES);
    assert!(!values.is_empty(), "it is told also where all agrees");
    assert!(values.iter().all(|(_, value)| *value == 0), "{values:?}\n{:?}", TENANTS.map(|it| report(world, it)));
    for tenant in TENANTS {
        let report = report(world, tenant);
        assert!(report.at > 0);
        assert_eq!(report.differences, [], "{tenant}");
    }
}

#[test]
fn a_sound_world_is_reported_clean_and_what_no_branch_can_take_away_is_not_read_again() {
    let (mut world, _) = settled();
    assert_eq!(told(&mut world), []);
    nothing_was_told(&world);
    let first = report(&world, "acme");
    assert_eq!(
        (first.settled_to, first.transactions, first.suspected.len()),
        (0, 4, 0),
        "final, and read all the same"
    );
    world.withdraw("TUSD", "1", recipient("later"));
    world.finish();
    world.pass(420_000);
    assert_eq!((report(&world, "acme").settled_to, report(&world, "acme").transactions), (5, 0), "deep enough");
    nothing_was_told(&world);
}

#[test]
fn transfers_under_way_are_no_difference() {
    let mut world = World::new(Setup { reconcile_ms: 1_000, confirmed_at: 8, final_at: 20, ..Setup::default() });
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, recipient("blacklisted"), true);
    world.chain.set_lenient(token, true);
    for n in 0..30_u64 {
        world.withdraw(["TUSD", "ETH", "TUSDT"][n as usize % 3], "1", recipient(&format!("{n}")));
        if n % 5 == 0 {
            world.withdraw("TBLK", "1", recipient("blacklisted"));
        }
        world.pass(400 * (n % 4));
    }
    world.finish();
    world.pass(303_000);
    nothing_was_told(&world);
    assert_eq!(report(&world, "acme").settled_to, 36);
}

#[test]
fn branches_are_no_difference() {
    let mut world = World::new(Setup { reconcile_ms: 1_000, final_at: 30, ..Setup::default() });
    for n in 0..12_u64 {
        world.withdraw(["TUSD", "ETH"][n as usize % 2], "1", recipient(&format!("{n}")));
        world.pass(2_000);
        let depth = (1 + n % 9).min(world.chain.height() - 1);
        let again = world.chain.newest(depth).into_iter().filter(|_| n % 3 == 0).collect();
        world.chain.reorg(&Reorg { depth, blocks: depth + 1, again, orphans: Orphans::Waiting });
        world.pass(3_000);
        for _ in 0..2 {
            world.release_lanes();
            world.pass(600);
        }
    }
    for _ in 0..20 {
        world.until("the end", |world| world.has_ended() || world.has_halted());
        if world.release_lanes().is_empty() {
            break;
        }
    }
    assert!(world.parcels().iter().any(|parcel| parcel.reopened > 0), "some had been settled");
    world.pass(5_000);
    nothing_was_told(&world);
}

/// A storm in which every leader looks at what is due, with what `at_each_step` makes of it.
fn stormy(seed: u64, reconcile_ms: u64, at_each_step: impl Fn(&mut World)) -> World {
    let mut world = World::new(Setup { seed, reconcile_ms, final_at: 12, providers: 2, ..Setup::default() });
    // Without money that is owed, and without strangers: that the treasury lacks it would be told by right.
    let without = [Class::Funds, Class::Gas, Class::People, Class::Strangers, Class::Refusals];
    let without = without.into_iter().fold(0, |bits, class| bits | class.bit());
    let weather = Weather::usual().with(Class::Branches, 40).as_deep_as(4).without(without);
    world.storm_while(weather, 150, 0, |world, step| {
        at_each_step(world);
        if step % 8 == 0 {
            let key = format!("k-{step}");
            let symbol = ["TUSD", "ETH", "TBLK"][step as usize % 3];
            let answer = world.clock.run(world.request("acme", Some(&key), symbol, "1", recipient(&key)));
            if answer.status.is_success() {
                world.take_note("acme", &answer);
            }
        }
    });
    for _ in 0..20 {
        world.until("the end", |world| world.has_ended() || world.has_halted());
        if world.release_lanes().is_empty() {
            break;
        }
    }
    world.finish();
    world
}

#[test]
fn storms_are_no_difference() {
    for seed in 0..40 {
        let mut world = stormy(seed, 120_000, World::forget_reports);
        world.pass(300_000);
        nothing_was_told(&world);
    }
}

#[test]
fn storms_never_make_the_books_wrong_however_often_they_are_looked_at() {
    let told = |world: &World| -> Vec<Difference> {
        let rows = TENANTS.iter().filter_map(|tenant| world.row(&Report::key(&world.lane(tenant))));
        rows.flat_map(|row| row.parse::<Report>().expect("a report").differences).collect()
    };
    for seed in 100..112 {
        // Looked at again within a second what is not told or set right yet is found twice: a gate that a dead leader
        // left behind, and money that came back with a block that left. No other kind may be.
        let world = stormy(seed, 1_000, |world| {
            let other: Vec<_> =
                told(world).into_iter().filter(|it| !matches!(it.kind, Kind::Lane | Kind::Uncredited)).collect();
            assert_eq!(other, [], "seed {seed}");
        });
        assert!(TENANTS.iter().all(|tenant| report(&world, tenant).at > 0));
    }
}

#[test]
fn the_first_leader_looks_at_once_and_then_each_hour() {
    let mut world = World::new(Setup::default());
    world.pass(2_000);
    let first = report(&world, "acme").at;
    world.pass(600_000);
    assert_eq!(report(&world, "acme").at, first);
    world.clock.advance(EVERY_MS - 700_000);
    world.pass(90_000);
    assert_eq!(report(&world, "acme").at, first);
    world.pass(20_000);
    assert!(report(&world, "acme").at >= first + EVERY_MS);
}

#[test]
fn a_leader_that_follows_one_that_fell_looks_at_once_and_one_that_was_handed_the_lease_does_not() {
    let mut world = World::new(Setup::default());
    world.pass(400_000);
    let first = report(&world, "acme").at;
    world.hand_over();
    world.pass(20_000);
    assert_eq!(report(&world, "acme").at, first, "the leader before had ended in order");
    world.replace_tracker();
    world.pass(20_000);
    let second = report(&world, "acme").at;
    assert!(second > first + 400_000);
    world.replace_tracker();
    world.pass(20_000);
    assert_eq!(report(&world, "acme").at, second, "leaders that keep falling have other work");
}

#[test]
fn a_treasury_with_less_than_the_books_is_told_after_two_looks() {
    let (mut world, _) = settled();
    world.pass(130_000);
    let treasury = world.lane("acme").address;
    let had = world.on_chain(treasury, Address::ZERO);
    world.chain.set_balance(treasury, had - U256::from(7));
    world.until("the first look", |world| !report(world, "acme").suspected.is_empty());
    assert_eq!(world.measured.last(DIFFERENCES).map(|(_, value)| value), Some(0), "found once");
    let told = told(&mut world);
    assert_eq!(kinds(&told), [Kind::Short]);
    assert!(told[0].detail.contains("0.000000000000000007 ETH less"), "{}", told[0].detail);
    assert_eq!(world.measured.last(DIFFERENCES).map(|(_, value)| value), Some(1));
    world.chain.set_balance(treasury, had);
    world.pass(TOLD_WITHIN_MS + 60_000);
    assert_eq!(report(&world, "acme").differences, []);
    assert_eq!(world.measured.last(DIFFERENCES).map(|(_, value)| value), Some(0), "and ends with its cause");
}

#[test]
fn a_treasury_that_loses_more_at_each_look_is_told_all_the_same() {
    let (mut world, _) = settled();
    let treasury = world.lane("acme").address;
    for _ in 0..8 {
        let has = world.on_chain(treasury, Address::ZERO);
        world.chain.set_balance(treasury, has - U256::from(1));
        world.pass(30_000);
    }
    assert_eq!(kinds(&report(&world, "acme").differences), [Kind::Short]);
}

#[test]
fn money_that_nobody_credited_is_listed_and_no_alarm() {
    let (mut world, _) = settled();
    world.chain.credit(world.lane("acme").address, Some(TUSD), U256::from(5_000_000));
    let told = told(&mut world);
    assert_eq!(kinds(&told), [Kind::Uncredited]);
    assert!(told[0].detail.contains("5 TUSD more"), "{}", told[0].detail);
    assert!(world.measured.values(DIFFERENCES).iter().all(|(_, value)| *value == 0));
}

#[test]
fn money_that_was_credited_and_never_came_is_told() {
    let (mut world, _) = settled();
    world.owe("acme", "TUSD", 3);
    assert_eq!(kinds(&told(&mut world)), [Kind::Short]);
    world.pay_in();
    assert_eq!(told(&mut world), []);
}

/// Changes a row past everything.
pub(crate) fn tamper<T: serde::Serialize + serde::de::DeserializeOwned>(
    world: &World,
    key: &Key,
    change: impl FnOnce(&mut T),
) {
    let mut value: T = world.row(key).expect("there").parse().expect("a row");
    change(&mut value);
    put(world, key, Item::from_fields(&value).expect("a row"));
}

fn put(world: &World, key: &Key, item: Item) {
    world.must_commit(&[Write::Put { key: key.clone(), item, expect: vec![] }]);
    // The simulation's own rules would stop at what is planted here.
    world.rows.journal();
}

fn planted(plant: impl FnOnce(&mut World, &[String])) -> Vec<Difference> {
    let (mut world, ids) = settled();
    plant(&mut world, &ids);
    world.rows.journal();
    for _ in 0..2_000 {
        world.quiet_step();
    }
    report(&world, "acme").differences
}

#[test]
fn a_counter_behind_the_chain_is_told() {
    let told = planted(|world, _| {
        let lane = world.lane("acme");
        tamper::<Counter>(world, &Counter::key(&lane), |counter| counter.next = 3);
        world.must_commit(&[Write::Delete { key: Transaction::key(&lane, 3), expect: vec![] }]);
        world.rows.journal();
    });
    assert!(told.iter().any(|it| it.kind == Kind::Lane && it.subject.ends_with("#next")), "{told:?}");
}

#[test]
fn a_number_that_somebody_else_used_is_told() {
    let told = planted(|world, _| {
        world.chain.foreign(world.lane("acme").address, 4).expect("free");
        world.chain.mine();
    });
    let subjects: Vec<_> = told.iter().filter(|it| it.kind == Kind::Lane).map(|it| it.subject.clone()).collect();
    assert_eq!(subjects.len(), 2, "{told:?}");
    assert!(subjects[0].ends_with("#next") && subjects[1].contains("#consumed "), "{told:?}");
    assert!(kinds(&told).contains(&Kind::Short), "its gas is in no books");
}

#[test]
fn a_number_without_a_transaction_is_told() {
    let told = planted(|world, _| {
        let key = Transaction::key(&world.lane("acme"), 3);
        forget(world, "acme");
        world.must_commit(&[Write::Delete { key, expect: vec![] }]);
    });
    assert_eq!(kinds(&told), [Kind::Transaction]);
    assert!(told[0].subject.ends_with("#3") && told[0].detail.contains("no transaction"), "{told:?}");
}

#[test]
fn bytes_of_another_number_are_told() {
    let told = planted(|world, _| {
        let lane = world.lane("acme");
        let other: Attempt = world.row(&Attempt::key(&lane, 1, 0)).expect("there").parse().expect("an attempt");
        forget(world, "acme");
        tamper::<Attempt>(world, &Attempt::key(&lane, 2, 0), |attempt| {
            (attempt.raw, attempt.hash) = (other.raw, other.hash);
        });
    });
    assert_eq!(kinds(&told), [Kind::Transaction]);
    assert!(told[0].subject.ends_with("#2"), "{told:?}");
}

#[test]
fn bytes_of_another_lane_are_told_while_their_number_is_open() {
    let mut world = World::new(Setup { reconcile_ms: 60_000, ..Setup::default() });
    world.track();
    world.next_block_at = None;
    for tenant in TENANTS {
        let answer = world.clock.run(world.request(tenant, Some("first"), "ETH", "1", recipient("rosa")));
        world.take_note(tenant, &answer);
    }
    world.pass(5_000);
    let key = |tenant| Attempt::key(&world.lane(tenant), 0, 0);
    let other: Attempt = world.row(&key("globex")).expect("signed").parse().expect("an attempt");
    tamper::<Attempt>(&world, &key("acme"), |attempt| (attempt.raw, attempt.hash) = (other.raw, other.hash));
    for _ in 0..2_000 {
        world.quiet_step();
    }
    let told = report(&world, "acme").differences;
    assert_eq!(kinds(&told), [Kind::Transaction], "{told:?}");
    assert!(told[0].detail.contains("not of this lane"), "{told:?}");
}

#[test]
fn an_attempt_that_is_gone_and_one_that_is_nonsense_are_told() {
    let told = planted(|world, _| {
        let lane = world.lane("acme");
        forget(world, "acme");
        world.must_commit(&[Write::Delete { key: Attempt::key(&lane, 0, 0), expect: vec![] }]);
        tamper::<Attempt>(world, &Attempt::key(&lane, 2, 0), |attempt| attempt.raw = Bytes::from_static(b"nonsense"));
    });
    assert_eq!((kinds(&told), told.len()), (vec![Kind::Transaction], 2), "{told:?}");
}

#[test]
fn a_row_that_cannot_be_read_is_told_and_keeps_nothing_else_from_being_looked_at() {
    let told = planted(|world, _| {
        let lane = world.lane("acme");
        forget(world, "acme");
        put(world, &Transaction::key(&lane, 1), Item::new().with("number", "one"));
        world.chain.credit(lane.address, Some(TUSD), U256::from(1));
    });
    assert_eq!(kinds(&told), [Kind::Transaction, Kind::Uncredited], "{told:?}");
}

#[test]
fn a_parcel_in_another_state_than_its_transaction_demands_is_told() {
    for (state, failed) in
        [(ParcelState::Assigned, false), (ParcelState::Failed, false), (ParcelState::Confirmed, true)]
    {
        let told = planted(|world, ids| {
            let parcel = world.parcel(&ids[1]);
            forget(world, "acme");
            if failed {
                let key = Transaction::key(&world.lane("acme"), parcel.number.expect("settled"));
                tamper::<Transaction>(world, &key, |transaction| {
                    let Some(Outcome::Paid { hash, block_hash, height, gas_cost_wei }) = transaction.outcome.clone()
                    else {
                        panic!("it was paid");
                    };
                    let reason = "planted".to_owned();
                    transaction.outcome = Some(Outcome::Reverted { hash, block_hash, height, gas_cost_wei, reason });
                });
            }
            put(world, &Parcel::key(parcel.id), Parcel { state, ..parcel }.item().expect("a row"));
        });
        assert!(kinds(&told).contains(&Kind::Parcel), "{state:?}: {told:?}");
    }
}

#[test]
fn a_parcel_with_another_number_or_another_settler_is_told() {
    let changes: [fn(&mut Parcel); 3] = [
        |parcel| parcel.number = Some(9),
        |parcel| parcel.number = None,
        |parcel| parcel.settled.as_mut().expect("settled").hash = B256::ZERO,
    ];
    for change in changes {
        let told = planted(|world, ids| {
            let mut parcel = world.parcel(&ids[0]);
            forget(world, "acme");
            change(&mut parcel);
            put(world, &Parcel::key(parcel.id), parcel.item().expect("a row"));
        });
        assert_eq!(kinds(&told), [Kind::Parcel], "{told:?}");
    }
}

#[test]
fn an_assigned_parcel_that_no_transaction_names_is_told() {
    let told = planted(|world, ids| {
        let parcel = world.parcel(&ids[0]);
        let stray = Parcel {
            id: causeway_domain::id::ParcelId::derived(&["stray"]),
            state: ParcelState::Assigned,
            settled: None,
            number: Some(2),
            created_at: world.clock.now_ms(),
            ..parcel
        };
        put(world, &Parcel::key(stray.id), stray.item().expect("a row"));
    });
    assert_eq!(kinds(&told), [Kind::Parcel]);
    assert!(told[0].detail.contains("does not name it"), "{told:?}");
}

#[test]
fn money_from_nowhere_is_told() {
    let told = planted(|world, _| {
        let account = AccountId { owner: Owner::Tenant(world.tenant("acme")), asset: world.asset("TUSD") };
        let has = world.row(&account.shard(3)).and_then(|row| row.number("available")).expect("credited");
        let update = Update { set: vec![("available", Value::from(has + 5))], ..Update::default() };
        world.must_commit(&[Write::Update { key: account.shard(3), update, expect: vec![] }]);
    });
    assert_eq!(kinds(&told), [Kind::Unbalanced]);
    assert!(told[0].detail.contains("0.000005 TUSD"), "{told:?}");
}

#[test]
fn a_settled_parcel_without_its_entries_is_told() {
    let told = planted(|world, ids| {
        let parcel = world.parcel(&ids[0]);
        forget(world, "acme");
        let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
        let key = account.entry(parcel.hold[0].shard, &hold_entry(&parcel.id.bare()));
        world.must_commit(&[Write::Delete { key, expect: vec![] }]);
    });
    assert_eq!(kinds(&told), [Kind::Entries], "{told:?}");
    let told = planted(|world, ids| {
        let mut parcel = world.parcel(&ids[0]);
        forget(world, "acme");
        parcel.hold[0].amount = Amount::new(1).expect("small");
        put(world, &Parcel::key(parcel.id), parcel.item().expect("a row"));
    });
    assert_eq!(kinds(&told), [Kind::Entries], "{told:?}");
}

#[test]
fn a_look_that_gets_no_answer_or_another_branchs_says_nothing() {
    let (mut world, _) = settled();
    let before = report(&world, "acme");
    world.chain.set_faults(Arc::new(ChainScript(|call| match call {
        "holdings" => Fault::LoseReply,
        _ => Fault::Pass,
    })));
    world.pass(200_000);
    assert_eq!(report(&world, "acme").at, before.at, "no answer, no report");
    assert!(world.measured.values(DIFFERENCES).iter().all(|(_, value)| *value == 0));
    world.chain.set_faults(Arc::new(ChainScript(|_| Fault::Pass)));
    world.pass(60_000);
    assert!(report(&world, "acme").at > before.at);
    nothing_was_told(&world);

    // The only provider that answers for balances stays on a branch that the others have left.
    let mut world = World::new(Setup { reconcile_ms: 10_000, providers: 2, ..Setup::default() });
    world.track();
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.finish();
    for round in 0..6_u64 {
        let lag = 1 + round % 3;
        world.chain.set_provider(usize::try_from(round % 2).expect("0 or 1"), Provider { lag, ..Provider::default() });
        world.pass(15_000);
    }
    nothing_was_told(&world);
}

#[test]
fn a_deposit_that_the_tracker_has_not_come_to_yet_is_not_missing() {
    let (mut world, _) = settled();
    world.pass(70_000);
    let treasury = world.lane("acme").address;
    let had = world.on_chain(treasury, Address::ZERO);
    let paid = world.clock.run(world.request("globex", Some("deposit"), "ETH", "3", treasury));
    assert!(paid.status.is_success());
    // The simulation's rules know no treasury that is paid: these steps go without them.
    let step = |world: &mut World| {
        world.quiet_step();
        for queue in [queues::TRANSFERS_NORMAL, queues::TRANSACTIONS, queues::CHAIN_EVENTS] {
            world.deliver_all(queue);
        }
    };
    while world.on_chain(treasury, Address::ZERO) == had {
        step(&mut world);
    }
    // The tracker has to follow a chain that grows as fast as it does, and the deposit is far ahead of it.
    let height = world.chain.height();
    world.chain.reorg(&Reorg { depth: 1, blocks: 1, again: vec![], orphans: Orphans::Waiting });
    world.chain.mine_empty(399);
    world.chain.mine();
    assert_eq!(world.chain.height(), height + 400);
    world.owe("acme", "ETH", 3);
    let before = report(&world, "acme").at;
    let next_block_at = world.next_block_at.take();
    for _ in 0..600 {
        world.chain.mine_empty(20);
        step(&mut world);
    }
    assert!(world.chain.height() > world.head().expect("followed").height + 100, "it is behind");
    assert_eq!(report(&world, "acme").at, before, "nothing can be said");
    world.next_block_at = next_block_at;
    (0..1_000).for_each(|_| step(&mut world));
    nothing_was_told(&world);
    assert!(report(&world, "acme").at > before);
}

#[test]
fn a_leader_killed_anywhere_in_a_look_tells_nothing_wrong_and_its_successor_looks() {
    let mut kills = 0;
    for polls in 1.. {
        let (mut world, _) = settled();
        world.pass(70_000);
        world.replace_tracker();
        world.pass(16_000);
        world.forget_reports();
        let killed = world.track_and_kill(polls);
        if killed {
            kills += 1;
            world.replace_tracker();
        }
        world.pass(TOLD_WITHIN_MS);
        nothing_was_told(&world);
        if !killed {
            break;
        }
    }
    assert!(kills > 10, "the leader was killed only {kills} times");
}

#[test]
fn a_gate_that_lost_count_is_set_right_and_not_told() {
    let (mut world, _) = settled();
    tamper::<Gate>(&world, &Gate::key(&world.lane("acme")), |gate| gate.consumed = 2);
    world.forget_reports();
    world.pass(300_000);
    assert_eq!(world.lane_view("acme").expect("begun").gate.consumed, 4);
    nothing_was_told(&world);
}

/// Makes the next look begin at a lane's first number: what is planted is below what was settled long ago.
fn forget(world: &World, tenant: &str) {
    tamper::<Report>(world, &Report::key(&world.lane(tenant)), |report| {
        (report.settled_to, report.parcels_from) = (0, 0);
    });
}

#[test]
fn what_a_token_that_cannot_be_read_moved_hides_nothing_of_the_others() {
    let mut world = World::new(Setup { reconcile_ms: 60_000, ..Setup::default() });
    world.chain.add_token(TUSDT, TokenKind::ToldElsewhere);
    world.track();
    world.withdraw("TUSDT", "1", recipient("rosa"));
    world.withdraw("TUSD", "1", recipient("rosa"));
    world.until("an operator's case", World::asks_people);
    assert_eq!(told(&mut world), [], "of the token itself nothing can be said");
    world.chain.debit(world.lane("acme").address, Some(TUSD), U256::from(5));
    let told = told(&mut world);
    assert_eq!(kinds(&told), [Kind::Short]);
    assert!(told[0].subject.ends_with(&format!("{TUSD:#x}")), "{told:?}");
}
