//! Money for the world: on chain, and in the books as an operator's credit puts it there.

use alloy_primitives::{Address, U256};
use causeway_chains::model::TokenKind;
use causeway_domain::{Amount, Clock};
use causeway_keys::KeyRef;
use causeway_state::{
    ledger::{AccountId, Buckets, EntryKind, Owner, Postings, spread},
    wallet::Treasury,
};

use crate::world::{ASSETS, Setup, TBLK, TENANTS, TFALSE, TUSD, TUSDT, World};

impl World {
    /// Registers and funds both tenants' treasuries, on chain and in the books.
    pub(crate) fn fund(&mut self, setup: &Setup) {
        for (token, kind) in [
            (TUSD, TokenKind::Standard),
            (TUSDT, TokenKind::NoReturn),
            (TFALSE, TokenKind::False),
            (TBLK, TokenKind::Standard),
        ] {
            self.chain.add_token(token, kind);
        }
        for tenant in TENANTS {
            let key = KeyRef::Kms { key_id: format!("treasury-{tenant}") };
            let address = self.lane(tenant).address;
            let network = self.network.id.clone();
            let created_at = self.clock.now_ms();
            let treasury = Treasury { tenant: self.tenant(tenant), network, address, key, created_at };
            self.must_commit(&treasury.register().expect("a row"));
            self.top_up(tenant, "ETH", setup.coins - 10);
            self.set_aside_for_gas(tenant, 10);
            for (_, symbol, _) in &ASSETS[1..] {
                self.top_up(tenant, symbol, setup.tokens);
            }
        }
    }

    /// Puts whole units into a treasury on chain and into the tenant's books.
    pub fn top_up(&mut self, tenant: &str, symbol: &str, whole: u64) {
        let asset = self.asset(symbol);
        let owner = Owner::Tenant(self.tenant(tenant));
        self.credit(tenant, AccountId { owner, asset }, units(symbol, whole), true);
    }

    /// Puts whole units into the books only: the treasury is short of them until somebody pays them in.
    pub fn owe(&mut self, tenant: &str, symbol: &str, whole: u64) {
        let account = AccountId { owner: Owner::Tenant(self.tenant(tenant)), asset: self.asset(symbol) };
        self.credit(tenant, account, units(symbol, whole), false);
    }

    /// Pays in on chain what is owed.
    pub fn pay_in(&self) {
        for (holder, token, units) in self.owed_in.borrow_mut().drain(..) {
            self.chain.credit(holder, token, units);
            self.coverage.count("funds: paid in");
        }
    }

    fn set_aside_for_gas(&mut self, tenant: &str, whole: u64) {
        let account = AccountId { owner: Owner::Gas(self.tenant(tenant)), asset: self.asset("ETH") };
        self.credit(tenant, account, units("ETH", whole), true);
    }

    fn credit(&mut self, tenant: &str, account: AccountId, amount: Amount, on_chain: bool) {
        let treasury = AccountId { owner: Owner::Treasury(self.lane(tenant)), asset: account.asset.clone() };
        let mut postings = Postings::new();
        let entry = format!("credit#{}", self.clock.random());
        let kind = EntryKind::Credit;
        for (shard, part) in spread(amount) {
            let change = Buckets { available: part.signed(), held: 0, posted: 0 };
            postings.merge(&account, shard % self.shards, &entry, kind, change, "test").expect("within bounds");
        }
        let change = Buckets { available: -amount.signed(), held: 0, posted: 0 };
        postings.merge(&treasury, 0, &entry, kind, change, "test").expect("within bounds");
        let mut writes = postings.writes(self.clock.now_ms()).expect("balanced");
        writes.push(account.register().expect("a row"));
        writes.push(treasury.register().expect("a row"));
        self.must_commit(&writes);
        let token = (account.asset.address != Address::ZERO).then_some(account.asset.address);
        let (holder, units) = (self.lane(tenant).address, U256::from(amount.units()));
        if on_chain {
            self.chain.credit(holder, token, units);
        } else {
            self.owed_in.borrow_mut().push((holder, token, units));
        }
        *self.credited.entry(account).or_default() += amount.signed();
        *self.credited.entry(treasury).or_default() -= amount.signed();
    }
}

/// Whole units of an asset in its smallest ones.
pub fn units(symbol: &str, whole: u64) -> Amount {
    let (.., decimals) = ASSETS.into_iter().find(|(_, known, _)| *known == symbol).expect("a listed asset");
    Amount::new(u128::from(whole) * 10_u128.pow(u32::from(decimals))).expect("within bounds")
}
