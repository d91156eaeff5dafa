//! What the clients' door promises: taken once, refused with a reason, never more than there is.

use std::{collections::BTreeSet, sync::Arc};

use alloy_primitives::U256;
use axum::http::{Method, StatusCode};
use causeway_domain::{Networks, id::NetworkId};
use causeway_http::Claims;
use causeway_intake::{Intake, directory::Directory, handler};
use causeway_keys::KeyRef;
use causeway_queue::{QueueName, memory::Fault};
use causeway_simulation::{
    Setup, World,
    api::{Answer, recipient},
    faults::{CommitRule, EVERY_TRY, accepts},
    world::{TBLK, TUSD},
};
use causeway_state::{message::queues, wallet::Treasury};
use causeway_store::memory::CommitFault;
use futures::future::join_all;
use serde_json::{Value, json};

/// Sends these requests side by side, and those that found the rows too busy once more.
fn at_once(world: &World, requests: u64, request: impl Fn(u64) -> String, amount: &str, symbol: &str) -> Vec<Answer> {
    let one = |number: u64| world.request("acme", None, symbol, amount, recipient(&request(number)));
    world.crossing.set(true);
    let mut answers: Vec<Answer> = Vec::new();
    let mut open: Vec<u64> = (0..requests).collect();
    while !open.is_empty() {
        let round = world.clock.run(join_all(open.iter().map(|number| one(*number))));
        let busy = |answer: &Answer| answer.status == StatusCode::SERVICE_UNAVAILABLE;
        let again = open.iter().zip(&round).filter(|(_, answer)| busy(answer)).map(|(number, _)| *number).collect();
        answers.extend(round.into_iter().filter(|answer| !busy(answer)));
        open = again;
    }
    world.crossing.set(false);
    answers
}

#[test]
fn insufficient_funds_are_refused_with_what_there_is() {
    let mut world = World::new(Setup { tokens: 10, ..Setup::default() });
    let answer = world.clock.run(world.request("acme", None, "TUSD", "10.5", recipient("rosa")));
    assert_eq!((answer.status, answer.code()), (StatusCode::PAYMENT_REQUIRED, "INSUFFICIENT_FUNDS"));
    assert_eq!(answer.body["error"]["available"], "10");
    assert_eq!(answer.body["error"]["required"], "10.5");
    assert_eq!(world.parcels().len(), 0);
    world.withdraw("TUSD", "10", recipient("rosa"));
    world.finish();
}

#[test]
fn a_listed_tokens_contract_is_no_recipient_of_anything() {
    let world = World::new(Setup::default());
    let token = world.asset("TUSDT").address;
    for symbol in ["ETH", "TUSD", "TUSDT"] {
        let answer = world.clock.run(world.request("acme", None, symbol, "1", token));
        assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "VALIDATION_ERROR"), "{symbol}");
        assert!(answer.body["error"]["message"].as_str().is_some_and(|it| it.contains("the money would be lost")));
    }
}

#[test]
fn requests_at_once_never_take_more_than_there_is() {
    for seed in 0..10 {
        let mut world = World::new(Setup { seed, tokens: 10, ..Setup::default() });
        let answers = at_once(&world, 24, |number| format!("{number}"), "1", "TBLK");
        let taken: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
        assert_eq!(taken.len(), 10);
        for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
            assert_eq!(answer.code(), "INSUFFICIENT_FUNDS");
        }
        taken.into_iter().for_each(|answer| drop(world.take_note("acme", answer)));
        world.finish();
        assert_eq!(world.money("acme", "TBLK").available, 0);
    }
}

#[test]
fn the_same_key_and_body_is_one_transfer() {
    let mut world = World::new(Setup::default());
    let request = |world: &World| world.request("acme", Some("k-1"), "TUSD", "5", recipient("rosa"));
    let first = world.clock.run(request(&world));
    let id = world.take_note("acme", &first);
    for _ in 0..3 {
        assert_eq!(world.clock.run(request(&world)).text("requestId"), id);
        world.pass(2_000);
    }
    world.finish();
    let late = world.clock.run(request(&world));
    assert_eq!((late.status, late.text("requestId"), late.text("status")), (StatusCode::CREATED, &*id, "PENDING"));
    world.finish();
    assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(5_000_000));
}

#[test]
fn fifty_repeats_at_once_are_one_transfer() {
    for seed in 0..10 {
        let mut world = World::new(Setup { seed, ..Setup::default() });
        world.crossing.set(true);
        let one = || world.request("acme", Some("k-1"), "TUSD", "5", recipient("rosa"));
        let answers = world.clock.run(join_all((0..50).map(|_| one())));
        world.crossing.set(false);
        let ids: BTreeSet<String> = answers.iter().map(|answer| world.take_note("acme", answer)).collect();
        assert_eq!(ids.len(), 1);
        world.finish();
        assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(5_000_000));
    }
}

#[test]
fn the_same_key_with_another_body_is_refused() {
    let mut world = World::new(Setup::default());
    let first = world.clock.run(world.request("acme", Some("k-1"), "TUSD", "5", recipient("rosa")));
    world.take_note("acme", &first);
    for (amount, to) in [("6", "rosa"), ("5", "karl")] {
        let other = world.clock.run(world.request("acme", Some("k-1"), "TUSD", amount, recipient(to)));
        assert_eq!((other.status, other.code()), (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"));
    }
    // The same amount in another spelling is the same request.
    let spelt = world.clock.run(world.request("acme", Some("k-1"), "TUSD", "5.00", recipient("rosa")));
    assert_eq!(spelt.text("requestId"), first.text("requestId"));
    let stranger = world.clock.run(world.request("globex", Some("k-1"), "TUSD", "7", recipient("karl")));
    world.take_note("globex", &stranger);
    world.finish();
    assert_eq!(world.parcels().len(), 2);
}

#[test]
fn withdrawals_without_a_key_are_each_their_own() {
    let mut world = World::new(Setup::default());
    let ids: BTreeSet<String> = (0..3).map(|_| world.withdraw("TUSD", "5", recipient("rosa"))).collect();
    assert_eq!(ids.len(), 3);
    world.finish();
    assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(15_000_000));
}

#[test]
fn both_surfaces_feed_one_pipeline_and_keep_their_keys_apart() {
    let mut world = World::new(Setup::default());
    let first = world.clock.run(world.request("acme", Some("k-1"), "TUSD", "5", recipient("rosa")));
    world.take_note("acme", &first);
    for priority in ["low", "normal", "high"] {
        let answer = world.transfer(&format!("k-{priority}"), "TUSD", "5", recipient("rosa"), priority);
        assert_eq!(answer.status, StatusCode::ACCEPTED, "{answer:?}");
    }
    let same_key = world.transfer("k-1", "TUSD", "5", recipient("rosa"), "normal");
    assert_eq!(same_key.status, StatusCode::ACCEPTED, "{same_key:?}");
    world.finish();
    assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(25_000_000));
}

#[test]
fn the_daily_limit_holds_and_is_new_the_next_day() {
    for seed in 0..5 {
        let mut world = World::new(Setup { seed, ..Setup::default() });
        let answers = at_once(&world, 8, |number| format!("{number}"), "1000", "TUSD");
        let taken: Vec<_> = answers.iter().filter(|answer| answer.status == StatusCode::CREATED).collect();
        assert_eq!(taken.len(), 5);
        for answer in answers.iter().filter(|answer| answer.status != StatusCode::CREATED) {
            assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED"));
        }
        taken.into_iter().for_each(|answer| drop(world.take_note("acme", answer)));
        world.finish();
        world.clock.advance(12 * 60 * 60 * 1000);
        world.withdraw("TUSD", "1000", recipient("tomorrow"));
        world.finish();
    }
}

#[test]
fn above_the_limit_of_one_transfer_nothing_is_taken() {
    let world = World::new(Setup::default());
    let answer = world.clock.run(world.request("acme", None, "TUSD", "1000.000001", recipient("rosa")));
    assert_eq!((answer.status, answer.code()), (StatusCode::BAD_REQUEST, "LIMIT_EXCEEDED"));
    assert_eq!(world.parcels().len(), 0);
    world.check_end();
}

#[test]
fn a_publish_lost_after_the_commit_is_made_up_for_by_the_sweep() {
    let mut world = World::new(Setup::default());
    world.queue.set_fault(|_, _| Fault::RefuseBefore);
    let id = world.withdraw("TUSD", "5", recipient("rosa"));
    world.queue.clear_fault();
    assert_eq!(world.queue.len(QueueName(queues::TRANSFERS_NORMAL)), 0);
    world.finish();
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
}

#[test]
fn a_lost_reply_of_the_accepting_commit_is_settled_by_its_token() {
    let mut world = World::new(Setup::default());
    world.script.commit(CommitRule { which: accepts, skip: 0, tries: 1, fault: CommitFault::LoseReply });
    let id = world.withdraw("TUSD", "5", recipient("rosa"));
    assert_eq!(world.script.struck(), 1);
    world.finish();
    assert_eq!(world.status(&id).text("status"), "COMPLETED");
    assert_eq!(world.parcels().len(), 1);
}

#[test]
fn an_unknown_commit_is_found_by_the_repeat_with_its_key() {
    for fault in [CommitFault::LoseReply, CommitFault::LoseCall, CommitFault::Delay] {
        let mut world = World::new(Setup::default());
        world.script.commit(CommitRule { which: accepts, skip: 0, tries: EVERY_TRY, fault });
        let request = |world: &World| world.request("acme", Some("k-1"), "TUSD", "5", recipient("rosa"));
        let answer = world.clock.run(request(&world));
        match fault {
            // The parcel is there, so the door can tell.
            CommitFault::LoseReply => drop(world.take_note("acme", &answer)),
            CommitFault::Pass | CommitFault::LoseCall | CommitFault::Delay | CommitFault::Contended => {
                assert_eq!((answer.status, answer.code()), (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL"))
            }
        }
        world.script.clear();
        let again = world.clock.run(request(&world));
        world.take_note("acme", &again);
        // What was under way arrives late, and finds the parcel there.
        world.rows.land();
        world.finish();
        assert_eq!(world.parcels().len(), 1, "{fault:?}");
        assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(5_000_000));
    }
}

/// From here on clients meet a door that was told of these networks, `local` or `other`, each with these tokens.
fn reconfigure(world: &mut World, enabled: &[&str], tokens: &str) {
    let network = |id: &str, chain_id: u64| {
        format!(
            "[[network]]\nid = \"{id}\"\nchain_id = {chain_id}\nnative = {{ symbol = \"ETH\", decimals = 18 }}\n\
             block_time_ms = 1000\nconfirmed_at = 3\nfinal_at = 6\nfinal_tag = false\nmax_fee_per_gas_wei = 500\n\
             max_priority_fee_per_gas_wei = 2\nin_flight_max = 2000\nstuck_after = 5\ntoken = [{tokens}]\n",
        )
    };
    let text = network("local", 31337) + &network("other", 31338);
    let view = world.views.of("intake");
    world.router = handler::router(Arc::new(Intake {
        store: view.store,
        queue: view.queue,
        clock: view.clock,
        networks: Networks::parse(&text, enabled).expect("two networks"),
        claims: Claims { tenant: "custom:tenant".into(), user: "sub".into(), roles: "cognito:groups".into() },
        directory: Directory::default(),
    }));
}

/// A token called TUSD, at some contract and with some decimals.
fn tusd(contract: impl std::fmt::Display, decimals: u8) -> String {
    format!(r#"{{ symbol = "TUSD", address = "{contract}", decimals = {decimals} }}"#)
}

/// acme's treasury is one on the other network as well.
fn register_elsewhere(world: &World) {
    let network: NetworkId = "other".parse().expect("a name");
    let treasury = Treasury {
        tenant: world.tenant("acme"),
        network,
        address: world.lane("acme").address,
        key: KeyRef::Kms { key_id: "treasury-acme".to_owned() },
        created_at: 1,
    };
    world.must_commit(&treasury.register().expect("a row"));
}

#[test]
fn a_repeat_gets_its_answer_whatever_became_of_its_token_and_network() {
    let elsewhere = recipient("another contract");
    let files: [(&[&str], String); 6] = [
        (&["local"], String::new()),
        (&[], String::new()),
        (&["local"], tusd(TUSD, 2)),
        (&["local"], tusd(TUSD, 8)),
        (&["local"], tusd(elsewhere, 6)),
        (&["local", "other"], tusd(TUSD, 6)),
    ];
    for (enabled, tokens) in files {
        let mut world = World::new(Setup::default());
        let withdrawal = |world: &World, key, amount| world.request("acme", key, "TUSD", amount, recipient("rosa"));
        let first = world.clock.run(withdrawal(&world, Some("k"), "5.000001"));
        let id = world.take_note("acme", &first);
        let transfer = world.transfer("k", "TUSD", "5.000001", recipient("rosa"), "low");
        assert_eq!(transfer.status, StatusCode::ACCEPTED, "{transfer:?}");
        let told = format!("{enabled:?} with {tokens}");
        reconfigure(&mut world, enabled, &tokens);
        if enabled.len() > 1 {
            register_elsewhere(&world);
        }
        let again = world.clock.run(withdrawal(&world, Some("k"), "5.0000010"));
        assert_eq!((again.status, &again.body), (StatusCode::CREATED, &first.body), "{told}");
        let again = world.transfer("k", "tusd", "5.000001", recipient("rosa"), "low");
        assert_eq!(again.status, StatusCode::ACCEPTED, "{told}: {again:?}");
        assert_eq!(again.text("transferId"), transfer.text("transferId"), "{told}");
        // The key is no way around what is asked for, and no key is no way around the file.
        for other in [
            world.clock.run(withdrawal(&world, Some("k"), "5.000002")),
            world.transfer("k", "TUSD", "5.000001", recipient("karl"), "low"),
            world.transfer("k", "TUSD", "5.000001", recipient("rosa"), "high"),
            world.transfer("k", "ETH", "5.000001", recipient("rosa"), "low"),
        ] {
            assert_eq!((other.status, other.code()), (StatusCode::UNPROCESSABLE_ENTITY, "IDEMPOTENCY_KEY_REUSED"));
        }
        if !tokens.contains(&TUSD.to_string()) {
            for key in [None, Some("new")] {
                assert_eq!(world.clock.run(withdrawal(&world, key, "5")).status, StatusCode::BAD_REQUEST, "{told}");
            }
        }
        world.finish();
        assert_eq!(world.parcels().len(), 2, "{told}");
        assert_eq!(world.status(&id).text("status"), "COMPLETED");
        assert_eq!(world.on_chain(recipient("rosa"), TUSD), U256::from(10_000_002), "{told}");
    }
}

#[test]
fn a_repeat_that_names_its_token_otherwise_is_the_same_request() {
    let mut world = World::new(Setup::default());
    let ask = |world: &World, token: Value, network: Value| {
        let body = json!({
            "from": world.lane("acme").address.to_string(), "to": recipient("rosa").to_string(), "amount": "5",
            "token": token, "network": network, "idempotencyKey": "k",
        });
        world.clock.run(world.call("acme", Method::POST, "/api/v1/transfers", None, Some(body)))
    };
    let first = ask(&world, json!("TUSD"), Value::Null);
    world.told.insert(world.parcels()[0].id);
    for (token, network) in [(json!(TUSD.to_string()), Value::Null), (json!("tusd"), json!("local"))] {
        let again = ask(&world, token, network);
        assert_eq!((again.status, &again.body), (StatusCode::ACCEPTED, &first.body));
    }
    for (token, network) in [(json!(TBLK.to_string()), Value::Null), (json!("TUSD"), json!("other"))] {
        assert_eq!(ask(&world, token, network).code(), "IDEMPOTENCY_KEY_REUSED");
    }
    world.finish();
}

#[test]
fn a_transfer_on_a_network_that_is_switched_off_is_told_listed_and_cancelled() {
    let mut world = World::new(Setup::default());
    world.pass(1_000);
    world.held.insert(queues::TRANSFERS_NORMAL);
    let taken = world.transfer("k", "TUSD", "5", recipient("rosa"), "normal");
    let path = format!("/api/v1/transfers/{}", taken.text("transferId"));
    let call = |world: &World, method, path: &str| world.clock.run(world.call("acme", method, path, None, None));
    let before = call(&world, Method::GET, &path);
    assert!(before.body["estimatedCompletionTime"].is_string());
    reconfigure(&mut world, &[], "");
    let told = call(&world, Method::GET, &path);
    assert_eq!((told.status, told.text("state")), (StatusCode::OK, "accepted"), "{told:?}");
    assert!(told.body["estimatedCompletionTime"].is_null(), "nobody knows its blocks' pace any more");
    let list = call(&world, Method::GET, "/api/v1/transfers");
    assert_eq!(list.body["transfers"].as_array().map(Vec::len), Some(1), "{list:?}");
    let cancelled = call(&world, Method::POST, &format!("{path}/cancel"));
    assert_eq!((cancelled.status, cancelled.text("state")), (StatusCode::OK, "cancelled"), "{cancelled:?}");
    world.held.clear();
    world.finish();
}
