use std::{collections::BTreeMap, path::Path};

use proptest::prelude::*;

use super::{
    table::{CODES, GROUPS, Row},
    *,
};

fn rows() -> impl Iterator<Item = (Class, &'static Row)> {
    GROUPS.iter().flat_map(|group| group.rows.iter().map(|row| (group.class, row)))
}

/// How nodes, relays and gateways wrap one text.
fn wrapped(text: &str) -> Vec<String> {
    let quoted = text.replace('"', "\\\"");
    vec![
        text.to_owned(),
        text.to_uppercase(),
        format!("  {text}.\r\n"),
        format!("INTERNAL_ERROR: {text}"),
        format!("call failed: {text}"),
        format!("rpc error: code = Unknown desc = {text}"),
        format!("err: {text}: address 0xb68D832c1241bc50db1CF09e96c0F4201D5539C9, tx: 8089 state: 8090"),
        format!("failed to forward tx to sequencer, please try again. Error message: '{text}'"),
        format!("[Request ID: 2e952947-ffad-408b-aed9-35f3ed152001] {text} (supplied gas 21000)"),
        format!("{{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{{\"code\":-32000,\"message\":\"{quoted}\"}}}}"),
    ]
}

#[test]
fn every_listed_text_is_read_in_every_wrapping() {
    for (class, row) in rows() {
        for text in wrapped(row.text) {
            assert_eq!(class_of(Some(-32000), &text), class, "{} says {text:?}", row.client);
            assert_eq!(class_of(None, &text), class, "{} says {text:?}", row.client);
        }
    }
}

/// Not only does the right phrase win: no other one is heard at all.
#[test]
fn no_listed_text_speaks_of_two_things() {
    let phrases = phrases(GROUPS);
    for (class, row) in rows() {
        assert_eq!(classes_in(&phrases, row.text), [class], "{row:?}");
    }
}

#[test]
fn a_phrase_stands_in_a_text_of_another_class_only_inside_a_longer_phrase_of_that_class() {
    for (class, row) in rows() {
        for (other, text) in rows().filter(|(other, _)| *other != class) {
            let phrase = Phrase::new(row.phrase, class);
            let said: Vec<Option<String>> = words(text.text).into_iter().map(Some).collect();
            let Some(found) = phrase.find(&said) else { continue };
            let own = Phrase::new(text.phrase, other);
            let range = own.find(&said).expect("a text holds its own phrase");
            let inside = range.start <= found.start && found.end <= range.end;
            assert!(inside && own.weight() > phrase.weight(), "{:?} in {:?}", row.phrase, text.text);
        }
    }
}

#[test]
fn the_order_of_the_table_leaves_no_trace() {
    let forth = phrases(GROUPS);
    let back = phrases(GROUPS.iter().rev());
    for (_, row) in rows() {
        assert_eq!(classes_in(&forth, row.text), classes_in(&back, row.text), "{row:?}");
    }
    let order = |phrases: &[Phrase]| phrases.iter().map(|phrase| phrase.runs.clone()).collect::<Vec<_>>();
    assert_eq!(order(&forth), order(&back));
}

#[test]
fn no_phrase_has_two_classes() {
    let mut seen: BTreeMap<Vec<String>, Class> = BTreeMap::new();
    for (class, row) in rows() {
        let known = *seen.entry(words(row.phrase)).or_insert(class);
        assert_eq!(known, class, "{:?}", row.phrase);
    }
}

#[test]
fn two_answers_in_one_text_are_none() {
    let both = "nonce too low; replacement transaction underpriced";
    assert_eq!(class_of(None, both), Class::Unknown);
    assert_eq!(class_of(None, "intrinsic gas too low (upstream: context deadline exceeded)"), Class::Unknown);
    assert_eq!(class_of(Some(429), both), Class::Unknown);
}

/// Seen in the wild: none of these tells what became of the bytes.
#[test]
fn what_nobody_listed_is_unknown_and_never_refused() {
    for text in [
        "",
        "Internal error",
        "INTERNAL_ERROR: ",
        "Invalid params",
        "Invalid",
        "server error",
        "failed to forward tx to sequencer: Post \"https://seq\": EOF",
        "failed to forward tx to sequencer: read tcp: connection reset by peer",
        "502 Bad Gateway: upstream connect error",
        "<html><head><title>503 Service Temporarily Unavailable</title></head></html>",
        "the method eth_sendRawTransaction does not exist/is not available",
        "transaction rejected",
        "missing trie node 4f2b (path 02)",
        "header not found",
    ] {
        assert_eq!(class_of(Some(-32000), text), Class::Unknown, "{text:?}");
        assert_eq!(class_of(None, text), Class::Unknown, "{text:?}");
    }
}

#[test]
fn words_are_whole() {
    assert_eq!(class_of(None, "prespammers"), Class::Unknown);
    assert_eq!(class_of(None, "resyncing"), Class::Unknown);
    assert_eq!(class_of(None, "not_nonce too low_"), Class::Unknown);
}

#[test]
fn codes_speak_only_where_no_word_does() {
    for (code, whose, _) in CODES {
        assert_eq!(class_of(Some(*code), "slow down"), Class::Busy, "{whose}");
        assert_eq!(class_of(Some(*code), "nonce too low"), Class::NumberTooLow, "{whose}");
    }
    let besu = broadcast(Some(-32005), "Transaction gas limit exceeds block gas limit");
    assert!(matches!(besu, BroadcastOutcome::Refused { .. }), "{besu:?}");
    let besu = broadcast(Some(-32007), "Sender account not authorized to send transactions");
    assert!(matches!(besu, BroadcastOutcome::Unknown { .. }), "{besu:?}");
}

#[test]
fn the_words_that_are_kept_are_one_short_line() {
    let long = format!("invalid\u{0} sender:\r\n\t{}", "x".repeat(10_000));
    let BroadcastOutcome::Refused { reason } = broadcast(None, &long) else { panic!("listed") };
    assert!(reason.starts_with("invalid sender: xxx"), "{reason}");
    assert_eq!(reason.chars().count(), REVERT_REASON_CHARS_MAX);
    let unknown = broadcast(Some(-32000), "no\nidea");
    assert_eq!(unknown, BroadcastOutcome::Unknown { detail: "-32000: no idea".to_owned() });
}

proptest! {
    #[test]
    fn any_text_is_classified(code: Option<i64>, text in "\\PC{0,200}|(?s).{0,200}") {
        let outcome = broadcast(code, &text);
        let words = match &outcome {
            BroadcastOutcome::Refused { reason } => reason.as_str(),
            BroadcastOutcome::Unknown { detail } => detail.as_str(),
            BroadcastOutcome::Accepted => return Err(TestCaseError::fail("an error is no acceptance")),
            BroadcastOutcome::AlreadyKnown | BroadcastOutcome::NumberTooLow | BroadcastOutcome::NumberTooHigh
            | BroadcastOutcome::ReplacementUnderpriced | BroadcastOutcome::Underpriced
            | BroadcastOutcome::InsufficientFunds | BroadcastOutcome::Busy { .. } => "",
        };
        prop_assert!(words.chars().count() <= REVERT_REASON_CHARS_MAX);
        prop_assert!(!words.chars().any(char::is_control));
    }

    /// Texts made of the table's own words: whatever is found, two classes never end as a refusal.
    #[test]
    fn a_refusal_says_nothing_else(picked in proptest::collection::vec(any::<proptest::sample::Index>(), 1..4)) {
        let all: Vec<_> = rows().collect();
        let picked: Vec<_> = picked.iter().map(|index| *index.get(&all)).collect();
        let text = picked.iter().map(|(_, row)| row.text).collect::<Vec<_>>().join(" | ");
        if picked.iter().any(|(class, _)| *class != Class::Refused) {
            prop_assert_ne!(class_of(None, &text), Class::Refused, "{}", text);
        }
    }
}

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/node-answers.md");

#[test]
fn the_page_shows_the_table() {
    let page = page();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(PAGE, &page).expect("docs/ can be written");
    }
    let stored = std::fs::read_to_string(Path::new(PAGE)).unwrap_or_default();
    assert!(
        stored == page,
        "docs/node-answers.md is not what the table says; make it anew with \
         UPDATE_GOLDEN=1 cargo test -p causeway-chains the_page_shows_the_table"
    );
}
