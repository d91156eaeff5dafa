//! Proving the ledger, in slices that one call can finish: each shard against its entries, and every commit's sum.

use alloy_primitives::keccak256;
use causeway_domain::{Clock, clock::Millis, limits::ACCOUNT_SHARDS};
use causeway_store::{Cursor, Item, Query, Store, StoreError};
use serde::{Deserialize, Serialize};

use super::{AccountId, Balances};

/// Pages of one shard that are read before it is left as one that never rests.
const PAGES_MAX: u32 = 20;
/// Entries older than this are all there: no commit is on its way for so long, whatever its writer's clock says.
const LANDED_MS: u64 = 10 * 60 * 1000;

/// How far a check is: what one slice hands to the next.
///
/// That every commit's entries sum to zero is proven without remembering commits, of which there may be more than memory
/// holds: each entry adds what it moves, times a number that a secret of this check draws for its commit. What sums to zero in
/// every commit adds up to zero (mod 2^128); what does not, does so by a chance of 2^-64 at most.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// How far accounts are listed.
    listed: Listed,
    /// The account under way.
    account: Option<Underway>,
    /// Draws a commit's number.
    salt: u128,
    /// When the check began.
    begun: Millis,
    /// What entries add that were surely there when it began.
    old: u128,
    /// What all entries add. Of commits that came meanwhile only a part may have been seen.
    all: u128,
}

/// How far accounts are listed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Listed {
    None,
    /// Those before this place in the list.
    To(String),
    All,
}

/// An account of which some shards are done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Underway {
    account: AccountId,
    shard: u8,
    reading: Option<Reading>,
    balances: Balances,
    entries: u64,
    unproven: u8,
    faults: Vec<String>,
}

/// A shard of which some pages are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reading {
    version: Option<u64>,
    balances: Balances,
    proven: Balances,
    entries: u64,
    pages: u32,
    after: Option<String>,
    old: u128,
    all: u128,
}

/// What a check found for one account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountReport {
    /// The account.
    pub account: String,
    /// Balances by its rows; decimal strings of smallest units.
    pub balances: [String; 3],
    /// Entries read.
    pub entries: u64,
    /// Shards that were written whenever they were read: nothing is said of these.
    pub unproven: u8,
    /// What does not fit; empty where all does.
    pub faults: Vec<String>,
}

/// What one slice found.
#[derive(Debug)]
pub struct Slice {
    /// Accounts that it finished.
    pub accounts: Vec<AccountReport>,
    /// Where to go on.
    pub end: End,
}

/// Where a slice ended.
#[derive(Debug)]
pub enum End {
    /// Its time was up: the next one goes on here.
    GoOn(Box<Place>),
    /// All is read, and entries of each commit sum to zero that was there at this time.
    Proven {
        /// Then.
        until: Millis,
        /// Whether that is all of them; others came meanwhile, or do not fit.
        all: bool,
    },
    /// All is read. Entries of some commit do not sum to zero.
    Unbalanced,
}

impl Place {
    /// Where a check begins.
    pub fn beginning(clock: &dyn Clock) -> Self {
        Self { listed: Listed::None, account: None, salt: clock.random(), begun: clock.now_ms(), old: 0, all: 0 }
    }

    /// What an entry adds.
    fn weighed(&self, asset: &str, entry: &Item) -> u128 {
        let commit = entry.text("last_commit").unwrap_or_default();
        let hash = keccak256(format!("{:032x}#{asset}#{commit}", self.salt));
        let moved = Balances::of(Some(entry));
        let drawn = u128::from_be_bytes(std::array::from_fn(|at| hash[at]));
        drawn.wrapping_mul(moved.available.wrapping_add(moved.held).cast_unsigned())
    }

    fn end(self) -> End {
        match (self.old, self.all) {
            (_, 0) => End::Proven { until: self.begun, all: true },
            (0, _) => End::Proven { until: self.begun.saturating_sub(LANDED_MS), all: false },
            (_, _) => End::Unbalanced,
        }
    }
}

/// Goes on with a check for so long, at least by a page.
///
/// A shard is compared with its entries at one version: read the balance, the entries, and the balance again; one that
/// changed meanwhile is read anew, a few times.
pub async fn check_accounts(
    store: &dyn Store,
    clock: &dyn Clock,
    mut place: Place,
    budget_ms: u64,
) -> Result<Slice, StoreError> {
    let until = clock.now_ms() + budget_ms;
    let mut accounts = Vec::new();
    loop {
        let mut underway = match place.account.take() {
            Some(underway) => underway,
            None => match next_account(store, &mut place).await? {
                None => return Ok(Slice { accounts, end: place.end() }),
                Some(Listing::Account(account)) => Underway::of(account),
                Some(Listing::None(report)) => {
                    accounts.push(report);
                    continue;
                }
            },
        };
        while underway.shard < ACCOUNT_SHARDS {
            underway.read_page(store, &mut place).await?;
            if clock.now_ms() >= until {
                place.account = Some(underway);
                return Ok(Slice { accounts, end: End::GoOn(Box::new(place)) });
            }
        }
        accounts.push(underway.report());
    }
}

/// The account after the last one, or why its row is none.
async fn next_account(store: &dyn Store, place: &mut Place) -> Result<Option<Listing>, StoreError> {
    let after = match &place.listed {
        Listed::None => None,
        Listed::To(cursor) => Some(Cursor(cursor.clone())),
        Listed::All => return Ok(None),
    };
    let page = store.query(&Query { limit: 1, after, ..AccountId::query() }).await?;
    place.listed = page.next.map_or(Listed::All, |cursor| Listed::To(cursor.0));
    Ok(page.items.first().map(|row| match row.parse::<AccountId>() {
        Ok(account) => Listing::Account(account),
        Err(error) => Listing::None(AccountReport {
            account: row.text("sk").unwrap_or_default().to_owned(),
            balances: Default::default(),
            entries: 0,
            unproven: 0,
            faults: vec![error.to_string()],
        }),
    }))
}

/// What a row of the list of accounts is.
enum Listing {
    Account(AccountId),
    /// None that can be read.
    None(AccountReport),
}

impl Underway {
    fn of(account: AccountId) -> Self {
        Self {
            account,
            shard: 0,
            reading: None,
            balances: Balances::default(),
            entries: 0,
            unproven: 0,
            faults: Vec::new(),
        }
    }

    /// Reads a page of the shard's entries; with the last one the shard is done, or begun anew.
    async fn read_page(&mut self, store: &dyn Store, place: &mut Place) -> Result<(), StoreError> {
        let key = self.account.shard(self.shard);
        let mut reading = match self.reading.take() {
            Some(reading) => reading,
            None => Reading::begun(store.get(&key).await?.as_ref(), 0),
        };
        let after = reading.after.take().map(Cursor);
        let page = store.query(&Query { after, ..self.account.entries(self.shard) }).await?;
        let asset = self.account.asset.to_string();
        for entry in &page.items {
            reading.take_in(place, &asset, entry);
        }
        reading.pages = reading.pages.saturating_add(1);
        reading.after = page.next.map(|cursor| cursor.0);
        if reading.after.is_none() {
            let row = store.get(&key).await?;
            if row.as_ref().map(Item::version) == reading.version {
                self.finish_shard(place, &reading);
            } else if reading.pages < PAGES_MAX {
                self.reading = Some(Reading::begun(row.as_ref(), reading.pages));
            } else {
                self.unproven = self.unproven.saturating_add(1);
                self.count(place, &reading);
            }
            return Ok(());
        }
        self.reading = Some(reading);
        Ok(())
    }

    fn finish_shard(&mut self, place: &mut Place, reading: &Reading) {
        if reading.balances != reading.proven {
            let (shard, row, entries) = (self.shard, reading.balances, reading.proven);
            self.faults.push(format!("shard {shard} has {row:?}, its entries sum to {entries:?}"));
        }
        self.count(place, reading);
    }

    fn count(&mut self, place: &mut Place, reading: &Reading) {
        place.old = place.old.wrapping_add(reading.old);
        place.all = place.all.wrapping_add(reading.all);
        self.balances = plus(self.balances, reading.balances);
        self.entries = self.entries.saturating_add(reading.entries);
        self.shard += 1;
    }

    fn report(self) -> AccountReport {
        let Self { account, balances, entries, unproven, faults, .. } = self;
        AccountReport {
            account: account.to_string(),
            balances: [balances.available, balances.held, balances.posted].map(|units| units.to_string()),
            entries,
            unproven,
            faults,
        }
    }
}

impl Reading {
    fn begun(row: Option<&Item>, pages: u32) -> Self {
        Self {
            version: row.map(Item::version),
            balances: Balances::of(row),
            proven: Balances::default(),
            entries: 0,
            pages,
            after: None,
            old: 0,
            all: 0,
        }
    }

    fn take_in(&mut self, place: &Place, asset: &str, entry: &Item) {
        let weighed = place.weighed(asset, entry);
        self.all = self.all.wrapping_add(weighed);
        let landed = place.begun.saturating_sub(LANDED_MS);
        if entry.number("at").is_some_and(|at| at <= i128::from(landed)) {
            self.old = self.old.wrapping_add(weighed);
        }
        self.proven = plus(self.proven, Balances::of(Some(entry)));
        self.entries = self.entries.saturating_add(1);
    }
}

/// A sum that is right mod 2^128, in whatever order.
fn plus(a: Balances, b: Balances) -> Balances {
    Balances {
        available: a.available.wrapping_add(b.available),
        held: a.held.wrapping_add(b.held),
        posted: a.posted.wrapping_add(b.posted),
    }
}
