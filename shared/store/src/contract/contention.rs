//! Many at the same rows at once.

use futures::future::join_all;

use super::{Subject, key};
use crate::port::{Commit, CommitToken, Expect, Update, Write};
use crate::row::{Item, Key};

/// Writers side by side.
const WRITERS: usize = 8;
/// Increments of each writer.
const ROUNDS: usize = 5;

/// Conditional loops lose nothing and add nothing, however many run at once.
pub async fn contention(subject: &Subject) {
    versions_count_every_increment(subject).await;
    transfers_keep_the_sum(subject).await;
    one_creator_wins(subject).await;
    one_commit_sent_by_many_happens_once(subject).await;
}

/// Sends a commit until it is settled: the same bytes under the same token.
async fn settled(subject: &Subject, token: &CommitToken, writes: &[Write]) -> bool {
    loop {
        match subject.send(token, writes).await {
            Commit::Committed => return true,
            Commit::Conflict(_) => return false,
            Commit::Contended | Commit::Unknown => {}
        }
    }
}

async fn versions_count_every_increment(subject: &Subject) {
    let counter = key("contention/version", "counter");
    subject.seed(&[Write::create(counter.clone(), Item::new())]).await;
    join_all((0..WRITERS).map(|_| async {
        for _ in 0..ROUNDS {
            increment(subject, &counter).await;
        }
    }))
    .await;
    let row = subject.there(&counter).await;
    let sum = WRITERS * ROUNDS;
    assert_eq!(row.number("n"), i128::try_from(sum).ok());
    assert_eq!(row.version(), 1 + sum as u64, "each increment is one version");
}

/// Reads, adds one, and starts again from the new row when another was faster.
async fn increment(subject: &Subject, counter: &Key) {
    loop {
        let version = subject.there(counter).await.version();
        let update = Update { add: vec![("n", 1)], ..Update::default() };
        let write = Write::Update { key: counter.clone(), update, expect: vec![Expect::Version(version)] };
        if settled(subject, &subject.token(), &[write]).await {
            return;
        }
    }
}

/// Money goes round in a ring of accounts; each step records an entry in the same commit.
async fn transfers_keep_the_sum(subject: &Subject) {
    let account = |n: usize| key("contention/ring", &format!("account-{}", n % WRITERS));
    for n in 0..WRITERS {
        subject.seed(&[Write::create(account(n), Item::new().with("balance", 3_u64))]).await;
    }
    let moved: usize = join_all((0..WRITERS).map(|writer| async move {
        let mut moved = 0;
        for round in 0..ROUNDS {
            let entry = key("contention/ring", &format!("entry-{writer}-{round}"));
            let pay = |n, amount| Write::Update {
                key: account(n),
                update: Update { add: vec![("balance", amount)], ..Update::default() },
                expect: if amount < 0 { vec![Expect::AtLeast("balance", -amount)] } else { vec![] },
            };
            let writes = [pay(writer, -2), pay(writer + 1, 2), Write::create(entry, Item::new())];
            moved += usize::from(settled(subject, &subject.token(), &writes).await);
        }
        moved
    }))
    .await
    .into_iter()
    .sum();
    let mut sum = 0;
    for n in 0..WRITERS {
        let balance = subject.there(&account(n)).await.number("balance").expect("a balance");
        assert!(balance >= 0, "an account was overdrawn: {balance}");
        sum += balance;
    }
    assert_eq!(sum, 3 * WRITERS as i128);
    let mut entries = 0;
    for writer in 0..WRITERS {
        for round in 0..ROUNDS {
            let entry = key("contention/ring", &format!("entry-{writer}-{round}"));
            entries += usize::from(subject.row(&entry).await.is_some());
        }
    }
    assert_eq!(entries, moved, "one entry for each transfer that was made");
    assert!(moved >= WRITERS, "everybody can pay once");
}

async fn one_creator_wins(subject: &Subject) {
    let contested = key("contention/create", "row");
    let won: Vec<bool> = join_all((0..WRITERS as u64).map(|writer| {
        let create = Write::create(contested.clone(), Item::new().with("writer", writer));
        async move { settled(subject, &subject.token(), &[create]).await }
    }))
    .await;
    assert_eq!(won.iter().filter(|won| **won).count(), 1);
    let winner = won.iter().position(|won| *won).and_then(|n| i128::try_from(n).ok());
    assert_eq!(subject.there(&contested).await.number("writer"), winner);
}

async fn one_commit_sent_by_many_happens_once(subject: &Subject) {
    for several in [false, true] {
        let at = |sk| key(&format!("contention/same/{several}"), sk);
        subject.seed(&[Write::create(at("counter"), Item::new())]).await;
        let update = Update { add: vec![("n", 1)], ..Update::default() };
        let mut writes = vec![Write::Update { key: at("counter"), update, expect: vec![Expect::Version(1)] }];
        if several {
            writes.push(Write::create(at("entry"), Item::new()));
        }
        let token = subject.token();
        let told = join_all((0..WRITERS).map(|_| settled(subject, &token, &writes))).await;
        assert_eq!(told, [true; WRITERS], "the same commit is never told that it lost");
        assert_eq!(subject.there(&at("counter")).await.number("n"), Some(1));
    }
}
