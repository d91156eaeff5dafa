//! What needs no API: help, completions, wrong usage.

use crate::mock::{causeway, finish};

#[tokio::test]
async fn the_help_lists_every_noun() {
    let run = finish(causeway(&["--help"])).await;
    assert_eq!(run.code, 0);
    insta::assert_snapshot!(run.out);
}

#[tokio::test]
async fn every_verb_has_help_of_its_own() {
    let verbs: [&[&str]; 26] = [
        &["transfers", "create"],
        &["transfers", "get"],
        &["transfers", "list"],
        &["transfers", "watch"],
        &["accounts", "show"],
        &["accounts", "credit"],
        &["accounts", "debit"],
        &["accounts", "check"],
        &["lanes", "list"],
        &["lanes", "show"],
        &["lanes", "release"],
        &["dead-letters", "list"],
        &["dead-letters", "show"],
        &["dead-letters", "replay"],
        &["dead-letters", "refund"],
        &["dead-letters", "discard"],
        &["dead-letters", "settle"],
        &["queues"],
        &["treasuries", "list"],
        &["treasuries", "register"],
        &["switches", "list"],
        &["switches", "block"],
        &["switches", "unblock"],
        &["audit"],
        &["demo"],
        &["load"],
    ];
    for verb in verbs {
        let run = finish(causeway(&[verb, &["--help"]].concat())).await;
        assert_eq!(run.code, 0, "{verb:?}: {}", run.err);
        assert!(run.out.contains(&format!("Usage: causeway {}", verb.join(" "))), "{verb:?}: {}", run.out);
    }
}

#[tokio::test]
async fn the_help_of_a_word_on_a_transaction_says_what_follows_from_it() {
    let run = finish(causeway(&["dead-letters", "settle", "--help"])).await;
    assert_eq!(run.code, 0, "{}", run.err);
    insta::assert_snapshot!("dead-letters-settle", run.out);
}

#[tokio::test]
async fn completions_know_the_verbs() {
    for shell in ["bash", "zsh", "fish"] {
        let run = finish(causeway(&["completions", shell])).await;
        assert_eq!(run.code, 0, "{}", run.err);
        assert!(run.out.contains("dead-letters") && run.out.contains("replay"), "{shell}");
    }
}

#[tokio::test]
async fn wrong_usage_is_told_apart() {
    let wrong: [&[&str]; 11] = [
        &[],
        &["transfers", "get", "no-id"],
        &["transfers", "create", "--to", "0x1", "--amount", "1", "--token", "ETH"],
        &["transfers", "create", "--via", "transfer", "--to", "0x1", "--amount", "1", "--token", "ETH"],
        &["lanes", "show", "no-lane"],
        &["treasuries", "register", "acme", "--network", "local", "--reason", "r"],
        &["treasuries", "register", "acme", "--network", "local", "--reason", "r", "--secret", "k"],
        &["load", "--rate", "5"],
        &["dead-letters", "settle", "dl_01k5c3j8000000000000000000", "--reason", "r"],
        &["dead-letters", "settle", "dl_01k5c3j8000000000000000000", "--reason", "r", "--paid", "--unpaid"],
        &["queues"],
    ];
    for arguments in wrong {
        let run = finish(causeway(arguments)).await;
        assert_eq!(run.code, 2, "{arguments:?}: {}", run.err);
        assert!(run.out.is_empty() && !run.err.is_empty(), "{arguments:?}");
    }
}

#[tokio::test]
async fn without_an_address_it_says_how_to_give_one() {
    let mut command = causeway(&["queues"]);
    command.env("CAUSEWAY_TOKEN", "t");
    let run = finish(command).await;
    assert_eq!(run.code, 2);
    assert_eq!(run.err, "error: the API's address is not known\n  next: give --api or CAUSEWAY_API, or a --profile\n");
}
