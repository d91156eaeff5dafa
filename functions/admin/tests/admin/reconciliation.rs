//! Reconciliation, as status-check's reports tell it.

use causeway_domain::lane::LaneId;
use causeway_state::reconciliation::{Difference, Kind, Report};
use serde_json::json;

use crate::support::{NOW, World};

const PATH: &str = "/admin/v1/reconciliation";

fn report(address: &str, tenant: &str, at: u64) -> Report {
    let lane = LaneId::try_from(format!("local/{address}")).expect("a lane");
    Report { at, height: 7, ..Report::new(lane, tenant.parse().expect("a tenant"), 0) }
}

async fn put(world: &World, report: &Report) {
    world.put(report.put(0).expect("a row")).await;
}

#[tokio::test]
async fn a_network_without_treasuries_is_clean_and_one_that_nobody_looked_at_is_not() {
    let world = World::new();
    let told = world.get(PATH).await.ok();
    let none = json!({
        "network": "local", "clean": true, "treasuries": 0, "suspected": 0, "differences": [], "more": 0,
    });
    assert_eq!(told["items"].as_array().expect("a list").iter().find(|it| it["network"] == "local"), Some(&none));
    world.treasury("acme").await;
    let told = world.get(PATH).await.ok();
    let local = told["items"].as_array().expect("a list").iter().find(|it| it["network"] == "local").expect("told");
    assert_eq!((&local["clean"], &local["treasuries"], local.get("lookedAt")), (&json!(false), &json!(1), None));
}

#[tokio::test]
async fn a_first_look_that_is_kept_half_way_says_nothing_of_its_treasury() {
    let world = World::new();
    let (acme, globex) = (world.treasury("acme").await, world.treasury("globex").await);
    put(&world, &report(&acme, "acme", NOW)).await;
    put(&world, &report(&globex, "globex", 0)).await;
    let told = world.get(PATH).await.ok()["items"][0].clone();
    assert_eq!((&told["clean"], told.get("lookedAt")), (&json!(false), None));
}

#[tokio::test]
async fn what_two_looks_found_is_told_and_only_some_of_it_is_an_alarm() {
    let world = World::new();
    let (acme, globex) = (world.treasury("acme").await, world.treasury("globex").await);
    let uncredited = Difference::new(Kind::Uncredited, "treasury:x#local:0x0", "5 ETH more");
    let mut first = report(&acme, "acme", NOW + 5);
    first.take(vec![uncredited.clone()], 0);
    first.take(vec![uncredited], 0);
    put(&world, &first).await;
    let mut second = report(&globex, "globex", NOW);
    put(&world, &second).await;
    let told = world.get(PATH).await.ok();
    let local = &told["items"][0];
    assert_eq!((&local["clean"], &local["lookedAt"]), (&json!(true), &json!(causeway_http::time::iso(NOW))));
    let shown = json!({
        "kind": "uncredited", "alarm": false, "subject": "treasury:x#local:0x0", "detail": "5 ETH more",
        "tenant": "acme", "lane": first.lane.to_string(), "at": causeway_http::time::iso(NOW + 5),
    });
    assert_eq!(local["differences"], json!([shown]));

    second.take(vec![Difference::new(Kind::Short, "treasury:y#local:0x0", "5 ETH less")], 0);
    world.put(second.put(1).expect("a row")).await;
    let once = world.get(PATH).await.ok()["items"][0].clone();
    assert_eq!((&once["clean"], &once["suspected"]), (&json!(true), &json!(1)), "found once");
    second.take(vec![Difference::new(Kind::Short, "treasury:y#local:0x0", "6 ETH less")], 0);
    world.put(second.put(2).expect("a row")).await;
    let twice = world.get(PATH).await.ok()["items"][0].clone();
    assert_eq!((&twice["clean"], &twice["suspected"]), (&json!(false), &json!(0)), "found twice");
    assert_eq!(twice["differences"].as_array().map(Vec::len), Some(2));
    assert_eq!(twice["differences"][1]["alarm"], json!(true));
    assert_eq!(world.get(&format!("{PATH}?status=open")).await.refusal().2, "query");
}
