//! Nothing that ended other than it must is taken for an end as it should.

use alloy_primitives::Address;
use causeway_domain::Amount;
use serde_json::json;
use wiremock::{Mock, MockServer, ResponseTemplate, matchers};

use super::*;
use crate::{
    api::Tokens,
    assets,
    demo::{
        chain::{Chain, Contracts},
        prepare::Treasury,
    },
};

const ID: &str = "tx-1766000000000-a1b2c3d4e";

/// A stack that says `status` of the withdrawal, and whose chain gives the recipient so many wei.
async fn stage(status: &str, wei: u64) -> (MockServer, Stage) {
    let server = MockServer::start().await;
    let told =
        json!({"id": ID, "status": status, "error": if status == "FAILED" { json!("reverted") } else { json!(null) }});
    let answers = [
        ("GET", format!("/withdrawal/status/{ID}"), told),
        ("POST", "/rpc".to_owned(), json!({"result": format!("{wei:#x}")})),
    ];
    for (method, path, answer) in answers {
        let mock = Mock::given(matchers::method(method)).and(matchers::path(path));
        mock.respond_with(ResponseTemplate::new(200).set_body_json(answer)).mount(&server).await;
    }
    let http = Api::http().expect("a client");
    let api = || Api::new(http.clone(), &server.uri(), Tokens::Given("t".to_owned())).expect("an address");
    let stage = Stage {
        run: "test".to_owned(),
        operator: api(),
        alice: api(),
        bob: api(),
        carol: api(),
        chain: Chain::new(http.clone(), format!("{}/rpc", server.uri())),
        contracts: Contracts::new("contracts".into(), String::new()),
    };
    (server, stage)
}

/// A withdrawal of 7 wei that must end like this and ended like that.
fn play(expected: Expected, state: Option<Progress>) -> Play {
    let eth = assets::find("local", "ETH").expect("a known asset");
    let scenario = Scenario {
        name: "a withdrawal",
        user: User::Alice,
        act: Act::Withdraw(json!({})),
        blacklist: Blacklist::Clean,
        expected,
        to: Address::repeat_byte(7),
        pays: Amount::new(7).map(|amount| (eth, amount)),
    };
    Play { id: state.and_then(|_| ID.parse().ok()), state, ..Play::new(scenario) }
}

async fn why(status: &str, wei: u64, play: Play) -> Option<String> {
    let (_server, stage) = stage(status, wei).await;
    let played = judge(&stage, 1, play).await.expect("a judgement");
    assert_eq!(played.as_expected, played.why.is_none());
    played.why
}

const CONFIRMED: Expected = Expected::Ends(Progress::Confirmed);

#[tokio::test]
async fn paid_and_told_is_as_it_should() {
    assert_eq!(why("COMPLETED", 7, play(CONFIRMED, Some(Progress::Confirmed))).await, None);
}

#[tokio::test]
async fn another_end_is_not() {
    for state in Progress::ALL.into_iter().filter(|state| *state != Progress::Confirmed) {
        let why = why("COMPLETED", 7, play(CONFIRMED, Some(state))).await;
        assert_eq!(why.as_deref(), Some("it ended otherwise"), "{state:?}");
    }
    assert!(why("COMPLETED", 7, play(CONFIRMED, None)).await.is_some(), "nothing at all came of it");
}

#[tokio::test]
async fn a_wrong_word_by_its_id_is_not() {
    let why = why("BROADCASTING", 7, play(CONFIRMED, Some(Progress::Confirmed))).await;
    assert_eq!(why.as_deref(), Some("by its id it is \"BROADCASTING\", not COMPLETED"));
}

#[tokio::test]
async fn a_recipient_with_too_little_or_too_much_is_not() {
    for wei in [0, 6, 8, 14] {
        let why = why("COMPLETED", wei, play(CONFIRMED, Some(Progress::Confirmed))).await;
        assert!(why.is_some_and(|why| why.starts_with("the recipient holds 0")), "{wei}");
    }
}

#[tokio::test]
async fn another_refusal_is_not() {
    let expected = Expected::Refused { status: 400, code: "LIMIT_EXCEEDED", field: Some("amount") };
    let refused = |status, code: &str, field: &str| {
        let body = json!({"error": {"code": code, "field": field, "message": "the reason"}}).to_string();
        let status = reqwest::StatusCode::from_u16(status).expect("a status");
        let mut play = play(expected, None);
        play.refused = Some(Problem::read(status, None, body.as_bytes()));
        play
    };
    assert_eq!(why("COMPLETED", 7, refused(400, "LIMIT_EXCEEDED", "amount")).await, None);
    for other in [
        refused(402, "LIMIT_EXCEEDED", "amount"),
        refused(400, "VALIDATION_ERROR", "amount"),
        refused(400, "LIMIT_EXCEEDED", "toAddress"),
    ] {
        let why = why("COMPLETED", 7, other).await;
        assert!(why.is_some_and(|why| why.contains("the reason")));
    }
}

#[tokio::test]
async fn a_ledger_that_differs_from_the_chain_is_told() {
    let eth = assets::find("local", "ETH").expect("a known asset");
    let treasury = Treasury { user: User::Alice, address: Address::repeat_byte(9), assets: vec![eth.clone()] };
    let (_server, stage) = stage("COMPLETED", 5).await;
    for (ledger, equal) in [("-0.000000000000000005", true), ("-0.000000000000000004", false), ("0", false)] {
        let account = json!([{
            "account": format!("treasury:local/{}", treasury.address), "asset": eth.id().to_string(),
            "available": ledger, "held": "0",
        }]);
        let accounts: Vec<balances::Account> = serde_json::from_value(account).expect("accounts");
        let balance = balances::balance(&stage, &treasury, &accounts, &eth).await.expect("a balance");
        assert_eq!(balance.equal, equal, "{ledger}");
    }
}
