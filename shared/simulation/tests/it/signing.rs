//! Numbers: no gap, no repeat, whoever signs and whatever gets lost.

use std::sync::Arc;

use alloy_primitives::U256;
use axum::http::{Method, StatusCode};
use causeway_domain::{Clock, Networks, parcel::ParcelState, verdict::WaitReason};
use causeway_keys::memory::Fault as KeyFault;
use causeway_queue::{Message, Queue, QueueName, memory::Fault};
use causeway_simulation::{
    Setup, World,
    api::recipient,
    faults::{CommitRule, EVERY_TRY, any, assigns},
    world::{ASSETS, TUSD},
};
use causeway_state::{
    dead_letter::Status,
    ledger::{AccountId, Owner, Postings},
    message::queues,
    parcel::{Failure, Parcel},
    wallet::{Scope, Switch},
};
use causeway_store::{CommitToken, Item, MemoryStore, Store, Write, memory::CommitFault};
use futures::{FutureExt, future::join};

const NORMAL: &str = queues::TRANSFERS_NORMAL;

fn some(world: &mut World, count: u64) -> Vec<String> {
    (0..count).map(|number| world.withdraw("TBLK", "1", recipient(&format!("someone-{number}")))).collect()
}

#[test]
fn two_hundred_withdrawals_at_once_leave_no_gap_and_no_repeat() {
    let mut world = World::new(Setup::default());
    let ids = some(&mut world, 200);
    let signers = [Arc::clone(&world.signer), world.another_signer()];
    world.crossing.set(true);
    while let (Some(left), Some(right)) = (world.receive(NORMAL), world.receive(NORMAL)) {
        let work = join(signers[0].handle(left.clone()), signers[1].handle(right.clone()));
        let (failed_left, failed_right) = world.clock.run(work);
        world.worked_off(&left, Some(&failed_left));
        world.worked_off(&right, Some(&failed_right));
        world.check();
    }
    world.crossing.set(false);
    world.finish();
    let view = world.lane_view("acme").expect("begun");
    assert_eq!((view.next, view.transactions.len()), (200, 200));
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
}

/// A token that some of these recipients cannot have, which a trial does not tell.
fn refusing(world: &World, numbers: &[usize]) {
    let token = world.asset("TBLK").address;
    world.chain.set_lenient(token, true);
    for number in numbers {
        world.chain.set_blacklisted(token, recipient(&format!("someone-{number}")), true);
    }
}

/// Rejects a parcel behind everybody's back.
fn reject(rows: &MemoryStore, id: causeway_domain::id::ParcelId, now: u64) {
    let row = rows.get(&Parcel::key(id)).now_or_never().expect("at once").expect("readable").expect("there");
    let parcel: Parcel = row.parse().expect("a parcel");
    let account = AccountId { owner: Owner::Tenant(parcel.tenant.clone()), asset: parcel.asset.clone() };
    let mut postings = Postings::new();
    postings.release(&account, &parcel.hold, &id.bare()).expect("balanced");
    let mut writes = postings.writes(now).expect("balanced");
    let failure = Failure { code: "GONE".to_owned(), reason: "the test says so".to_owned() };
    writes.push(parcel.moved(row.version(), parcel.rejected(failure, now)).expect("a move"));
    let token = CommitToken::new(format!("reject-{}", id.bare()));
    let done = rows.commit(&token, &writes).now_or_never().expect("at once").expect("valid");
    assert_eq!(done, causeway_store::Commit::Committed);
}

#[test]
fn a_parcel_that_goes_under_the_signers_feet_costs_the_others_nothing() {
    let mut world = World::new(Setup::default());
    let ids = some(&mut world, 10);
    refusing(&world, &[4]);
    let gone = world.parcel_id("acme", &ids[4]);
    let now = world.clock.now_ms();
    world.store.before(assigns, move |rows| reject(rows, gone, now));
    world.deliver(NORMAL);
    world.check();
    assert_eq!(world.lane_view("acme").expect("begun").next, 9);
    world.finish();
    assert_eq!(world.parcel(&ids[4]).state, ParcelState::Rejected);
    assert_eq!(world.on_chain(recipient("someone-4"), world.asset("TBLK").address), U256::ZERO);
}

#[test]
fn parcels_that_go_one_after_the_other_leave_the_rest_signed_one_by_one() {
    let mut world = World::new(Setup::default());
    let ids = some(&mut world, 10);
    let now = world.clock.now_ms();
    refusing(&world, &[1, 5, 7]);
    for index in [1, 5, 7] {
        let gone = world.parcel_id("acme", &ids[index]);
        world.store.before(assigns, move |rows| reject(rows, gone, now));
    }
    world.deliver(NORMAL);
    world.check();
    assert_eq!(world.lane_view("acme").expect("begun").next, 7);
    world.finish();
}

#[test]
fn a_poison_message_costs_nobody() {
    let mut world = World::new(Setup::default());
    let ids = some(&mut world, 4);
    for body in ["{\"parcel\":", "{}", "[1,2]", "{\"parcel\":\"pcl_00000000000000000000000000\",\"trace\":\"x\"}"] {
        let poison = Message { body: body.to_owned(), ..Message::default() };
        world.queue.publish(QueueName(NORMAL), &[poison]).now_or_never().expect("at once").expect("taken");
    }
    world.deliver(NORMAL);
    assert_eq!(world.lane_view("acme").expect("begun").next, 4);
    world.finish();
    assert!(ids.iter().all(|id| world.parcel(id).state == ParcelState::Confirmed));
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 4);
    assert!(letters.iter().all(|letter| letter.reason.contains("not a parcel's")), "{letters:?}");
}

#[test]
fn a_message_without_a_parcel_is_told_to_the_operators() {
    let mut world = World::new(Setup::default());
    let body = "{\"parcel\":\"pcl_00000000000000000000000000\",\"trace\":\"trc_00000000000000000000000000\"}";
    let message = Message { body: body.to_owned(), ..Message::default() };
    world.queue.publish(QueueName(NORMAL), &[message]).now_or_never().expect("at once").expect("taken");
    world.finish();
    let reasons: Vec<String> = world.dead_letters().into_iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, ["there is no such parcel"]);
}

#[test]
fn a_parcel_that_could_not_be_read_is_replayed_once_its_row_is_mended() {
    let mut world = World::new(Setup::default());
    let id = world.withdraw("TUSD", "5", recipient("rosa"));
    let key = Parcel::key(world.parcel_id("acme", &id));
    let row = world.row(&key).expect("taken");
    let put = |item: Item| Write::Put { key: key.clone(), item, expect: vec![] };
    world.must_commit(&[put(Item::new().with("state", "no parcel's"))]);
    world.deliver_all(NORMAL);
    world.deliver_all(queues::TRANSFERS_DEAD);
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    let mut mended = Item::new();
    for (name, value) in row.fields() {
        if !["pk", "sk", "version", "last_commit"].contains(&&**name) {
            mended.set(name.clone(), value.clone());
        }
    }
    world.must_commit(&[put(mended)]);
    // No time passes, so the sweep does not find it first.
    let replay = world.of_letter("replay", letters[0].id);
    assert!(world.act(&replay).status.is_success());
    world.deliver_all(NORMAL);
    world.deliver_all(queues::TRANSFERS_DEAD);
    assert_eq!(world.parcel(&id).state, ParcelState::Assigned, "{:?}", world.dead_letters());
    world.finish();
    assert_eq!(world.dead_letters()[0].status, Status::Replayed);
}

/// One transfer of each tenant.
fn asked(world: &mut World, tenants: &[&str]) -> Vec<String> {
    let ask = |tenant: &&str| {
        let answer = world.clock.run(world.request(tenant, None, "ETH", "1", recipient("rosa")));
        world.take_note(tenant, &answer)
    };
    tenants.iter().map(ask).collect()
}

/// Turns that a signer takes for what is in a queue.
fn turns(world: &mut World, queue: &'static str) -> u64 {
    let batch = world.receive(queue).expect("messages");
    world.crossing.set(true);
    let mut work = world.work(queue, batch.clone());
    for turn in 1.. {
        if let Some(failed) = world.clock.poll_some(work.as_mut(), 1) {
            world.crossing.set(false);
            world.worked_off(&batch, Some(&failed));
            return turn;
        }
    }
    unreachable!("it ends")
}

#[test]
fn no_lane_of_a_batch_waits_for_another() {
    let [one, both] = [1, 2].map(|lanes| {
        let mut world = World::new(Setup::default());
        world.pass(2_000);
        world.held.insert(queues::TRANSFERS_NORMAL);
        asked(&mut world, &["acme", "globex"][..lanes]);
        world.held.clear();
        let turns = turns(&mut world, queues::TRANSFERS_NORMAL);
        let states: Vec<_> = world.parcels().into_iter().map(|parcel| parcel.state).collect();
        assert_eq!(states, vec![ParcelState::Assigned; lanes]);
        turns
    });
    assert!(both < one + one / 2, "{one} turns for one lane, {both} for two");
}

#[test]
fn no_lane_of_sign_requests_waits_for_another() {
    let [one, both] = [1, 2].map(|lanes| {
        let mut world = World::new(Setup::default());
        world.pass(2_000);
        world.next_block_at = None;
        let tenants = &["acme", "globex"][..lanes];
        let ids = asked(&mut world, tenants);
        world.until("their bytes at a node", |world| world.chain.pooled().len() == lanes);
        world.held.insert(queues::SIGN_REQUESTS);
        for (tenant, id) in tenants.iter().zip(ids) {
            let path = format!("/withdrawal/cancel/{id}");
            let answer = world.clock.run(world.call(tenant, Method::POST, &path, None, None));
            assert_eq!(answer.status, StatusCode::ACCEPTED);
        }
        world.held.clear();
        let turns = turns(&mut world, queues::SIGN_REQUESTS);
        for tenant in tenants {
            let lane = world.lane_view(tenant).expect("begun");
            assert_eq!(lane.transactions[0].0.attempts, 2, "its no-op is signed");
        }
        turns
    });
    assert!(both < one + one / 2, "{one} turns for one lane, {both} for two");
}

#[test]
fn two_signers_with_the_same_messages_give_each_parcel_one_number() {
    for seed in 0..20 {
        let mut world = World::new(Setup { seed, ..Setup::default() });
        some(&mut world, 6);
        let batch = world.receive(NORMAL).expect("six messages");
        let other = world.another_signer();
        world.crossing.set(true);
        let work = join(world.signer.handle(batch.clone()), other.handle(batch.clone()));
        let (failed, _) = world.clock.run(work);
        world.crossing.set(false);
        world.check();
        world.worked_off(&batch, Some(&failed));
        world.finish();
        assert_eq!(world.lane_view("acme").expect("begun").next, 6);
    }
}

#[test]
fn signers_that_race_without_a_lease_never_sign_more_than_may_be_out() {
    for seed in 0..20 {
        let mut world = World::new(Setup { seed, in_flight_max: 4, ..Setup::default() });
        world.next_block_at = None;
        some(&mut world, 16);
        let first = world.receive(NORMAL).expect("ten messages");
        let second = world.receive(NORMAL).expect("six messages");
        // Nobody gets the lease: only what the commits promise is left.
        world.script.hide("LEASE");
        let other = world.another_signer();
        world.crossing.set(true);
        let work = join(world.signer.handle(first.clone()), other.handle(second.clone()));
        let (failed_first, failed_second) = world.clock.run(work);
        world.crossing.set(false);
        world.script.clear();
        world.worked_off(&first, Some(&failed_first));
        world.worked_off(&second, Some(&failed_second));
        let view = world.lane_view("acme").expect("begun");
        assert!(view.next - view.gate.consumed <= 4, "{} are out, 4 may be", view.next - view.gate.consumed);
        world.next_block_at = Some(world.clock.now_ms());
        world.finish();
    }
}

#[test]
fn a_publish_lost_after_signing_is_made_up_for_by_the_lane_sweep() {
    let mut world = World::new(Setup::default());
    some(&mut world, 3);
    world.queue.set_fault(|queue, _| if queue.0 == queues::TRANSACTIONS { Fault::RefuseBefore } else { Fault::Pass });
    world.deliver_all(NORMAL);
    world.queue.clear_fault();
    assert_eq!(world.lane_view("acme").expect("begun").next, 3);
    assert_eq!(world.queue.len(QueueName(queues::TRANSACTIONS)), 0);
    world.finish();
}

#[test]
fn a_lost_reply_of_the_signing_commit_gives_no_second_number() {
    for (tries, fault) in [
        (1, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseReply),
        (EVERY_TRY, CommitFault::LoseCall),
        (EVERY_TRY, CommitFault::Delay),
        (EVERY_TRY, CommitFault::Contended),
    ] {
        let mut world = World::new(Setup::default());
        some(&mut world, 5);
        world.script.commit(CommitRule { which: assigns, skip: 0, tries, fault });
        world.deliver(NORMAL);
        assert!(world.script.struck() > 0);
        world.check();
        world.pass(5_000);
        world.rows.land();
        world.finish();
        assert_eq!(world.lane_view("acme").expect("begun").next, 5, "{fault:?}");
    }
}

#[test]
fn a_key_that_is_denied_burns_no_number() {
    let mut world = World::new(Setup::default());
    let ids = some(&mut world, 5);
    for fault in [KeyFault::Denied, KeyFault::Unavailable] {
        world.keys.set_fault(move |_| fault);
        world.pass(20_000);
        assert_eq!(world.lane_view("acme").expect("begun").next, 0);
        for id in &ids {
            let wait = world.parcel(id).wait.map(|wait| wait.reason);
            assert!(matches!(wait, None | Some(WaitReason::KeysUnavailable)), "{wait:?}");
        }
    }
    world.keys.clear_fault();
    world.finish();
    assert_eq!(world.lane_view("acme").expect("begun").next, 5);
}

fn throw(rows: &MemoryStore, scope: &Scope, now: u64) {
    let switch = Switch { scope: scope.text(), reason: "audit".to_owned(), by: "olga".to_owned(), at: now };
    let item = Item::from_fields(&switch).expect("a row");
    let writes: Vec<Write> = scope.copies().map(|key| Write::create(key, item.clone())).collect();
    let done = rows.commit(&CommitToken::new("throw"), &writes).now_or_never().expect("at once").expect("valid");
    assert_eq!(done, causeway_store::Commit::Committed);
}

#[test]
fn a_switch_thrown_between_check_and_commit_stops_the_signature() {
    let lane = World::new(Setup::default()).lane("acme");
    let scopes = [
        Scope::Tenant(World::new(Setup::default()).tenant("acme")),
        Scope::Network(lane.network.clone()),
        Scope::Lane(lane),
    ];
    for scope in scopes {
        let mut world = World::new(Setup::default());
        let ids = some(&mut world, 3);
        let now = world.clock.now_ms();
        let thrown = scope.clone();
        world.store.before(assigns, move |rows| throw(rows, &thrown, now));
        world.pass(3_000);
        assert_eq!(world.lane_view("acme").expect("begun").next, 0, "{}", scope.text());
        for id in &ids {
            assert_eq!(world.parcel(id).wait.map(|wait| wait.reason), Some(WaitReason::Blocked));
        }
        // The door believes an open switch for some seconds; the signing commit believes nothing.
        world.pass(6_000);
        let refused = world.clock.run(world.request("acme", None, "TUSD", "1", recipient("late")));
        assert_eq!(refused.code(), "BLOCKED");
        world.pass(120_000);
        assert_eq!(world.lane_view("acme").expect("begun").next, 0);
        let opened: Vec<Write> = scope.copies().map(|key| Write::Delete { key, expect: vec![] }).collect();
        world.must_commit(&opened);
        world.finish();
        assert_eq!(world.on_chain(recipient("late"), TUSD), U256::ZERO);
    }
}

#[test]
fn a_transfer_that_would_revert_is_rejected_once_with_its_reason() {
    let mut world = World::new(Setup::default());
    let bad = recipient("blacklisted");
    let token = world.asset("TBLK").address;
    world.chain.set_blacklisted(token, bad, true);
    some(&mut world, 2);
    let id = world.withdraw("TBLK", "5", bad);
    let mut losses = 2;
    world.queue.set_fault(move |queue, _| {
        let strikes = queue.0 == queues::TRANSFERS_DEAD && losses > 0;
        losses -= i32::from(strikes);
        if strikes { Fault::RefuseBefore } else { Fault::Pass }
    });
    world.finish();
    let status = world.status(&id);
    assert_eq!(status.text("status"), "FAILED");
    assert!(status.text("error").contains("Blacklisted"), "{status:?}");
    let letters = world.dead_letters();
    assert_eq!(letters.len(), 1, "{letters:?}");
    assert!(letters[0].reason.contains("Blacklisted") && letters[0].status == Status::Open);
    assert_eq!(letters[0].parcel, Some(world.parcel_id("acme", &id)));
    assert_eq!(world.lane_view("acme").expect("begun").next, 2);
}

#[test]
fn rows_that_cannot_be_read_for_a_while_delay_but_lose_nothing() {
    let mut world = World::new(Setup::default());
    some(&mut world, 4);
    world.script.unreadable(true);
    world.pass(30_000);
    world.script.unreadable(false);
    world.script.commit(CommitRule { which: any, skip: 3, tries: EVERY_TRY, fault: CommitFault::Contended });
    world.finish();
}

#[test]
fn a_network_whose_providers_cannot_be_used_waits_and_is_paid_once_they_can() {
    let mut world = World::new(Setup::default());
    let signer = std::sync::Arc::get_mut(&mut world.signer).expect("nobody works");
    let chains = std::mem::take(&mut signer.chains);
    let id = world.withdraw("TUSD", "1", recipient("rosa"));
    world.pass(120_000);
    assert!(world.parcel(&id).state.holds_money(), "it is not given up");
    assert_eq!(world.parcel(&id).number, None, "and nothing is signed");
    std::sync::Arc::get_mut(&mut world.signer).expect("nobody works").chains = chains;
    world.finish();
    assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
}

/// While versions change, or an older one comes back, one function knows another list of networks than the next.
#[test]
fn what_another_versions_list_does_not_allow_waits_for_one_that_does() {
    let text = |tokens: &str| {
        format!(
            "[[network]]\nid = \"local\"\nchain_id = 31337\nnative = {{ symbol = \"ETH\", decimals = 18 }}\n\
             block_time_ms = 1000\nconfirmed_at = 3\nfinal_at = 6\nfinal_tag = false\n\
             max_fee_per_gas_wei = 500000000000\nmax_priority_fee_per_gas_wei = 2000000000\nin_flight_max = 16\n\
             stuck_after = 5\ntoken = [{tokens}]\n"
        )
    };
    let (address, _, decimals) = ASSETS.into_iter().find(|(_, symbol, _)| *symbol == "TUSD").expect("listed");
    let lower =
        format!("{{ symbol = \"TUSD\", address = \"{address}\", decimals = {decimals}, max_per_transfer = \"1\" }}");
    for tokens in ["", &lower] {
        let mut world = World::new(Setup::default());
        let id = world.withdraw("TUSD", "2", recipient("rosa"));
        let batch = world.receive(NORMAL).expect("its message");
        let older = world.signer_with(&Networks::parse(&text(tokens), &["local"]).expect("valid"));
        let failed = world.clock.run(older.handle(batch.clone()));
        world.worked_off(&batch, Some(&failed));
        let parcel = world.parcel(&id);
        assert_eq!(parcel.state, ParcelState::Waiting);
        assert_eq!(parcel.wait.expect("waits").reason, WaitReason::NotAllowed);
        world.finish();
        assert_eq!(world.parcel(&id).state, ParcelState::Confirmed);
    }
}
