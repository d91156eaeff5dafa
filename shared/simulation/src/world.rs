//! One deployment in memory: two tenants, a treasury each, and every handler wired to the same ports.

use std::{
    cell::{Cell, RefCell},
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use alloy_primitives::{Address, B256, U256, address};
use axum::Router;
use causeway_chains::{
    Chain, ModelChain,
    model::{Gaps, ModelConfig},
};
use causeway_dead_letters::Recorder;
use causeway_domain::{
    Clock, Networks,
    id::{NetworkId, ParcelId, TenantId},
    lane::LaneId,
    limits::ACCOUNT_SHARDS,
    network::AssetId,
};
use causeway_http::Claims;
use causeway_intake::{Intake, directory::Directory};
use causeway_keys::{KeyRef, MemoryKeys};
use causeway_queue::MemoryQueue;
use causeway_runtime::metrics::Metrics;
use causeway_send::Sender;
use causeway_settle::Settler;
use causeway_state::{
    commit::{Done, commit},
    ledger::AccountId,
};
use causeway_status_check::{Tracker, lead::Lead, reconcile::EVERY_MS};
use causeway_store::{MemoryStore, Write};
use causeway_validate_sign::{Memory, Signer};

use crate::{
    clients::Clients,
    clock::SimClock,
    coverage::Coverage,
    drive::STEP_MS,
    faults::{Dice, Script},
    inbox::Inbox,
    measured::Measured,
    nodes::{Halts, Refusals},
    people::{People, operators},
    ports::{Caught, Crossing, Network, Queues, Rows, Signatures},
    rules::Rules,
    sabotage::Sabotage,
    skew::Skews,
    tag::Tag,
    trace::Trace,
    views::{SENDER, SETTLER, SIGNER, Views},
};

/// A token of six decimals that returns what the standard says.
pub const TUSD: Address = address!("0x1000000000000000000000000000000000000001");
/// A token that returns nothing.
pub const TUSDT: Address = address!("0x2000000000000000000000000000000000000002");
/// A token that reports failure by returning false.
pub const TFALSE: Address = address!("0x3000000000000000000000000000000000000003");
/// A token with a list of addresses that may not be paid.
pub const TBLK: Address = address!("0x4000000000000000000000000000000000000004");

/// Every asset with its symbol and decimals.
pub const ASSETS: [(Address, &str, u8); 5] =
    [(Address::ZERO, "ETH", 18), (TUSD, "TUSD", 6), (TUSDT, "TUSDT", 6), (TFALSE, "TFALSE", 6), (TBLK, "TBLK", 6)];

/// The tenants.
pub const TENANTS: [&str; 2] = ["acme", "globex"];

/// What a simulation may vary.
#[derive(Debug, Clone)]
pub struct Setup {
    /// Decides every choice.
    pub seed: u64,
    /// Transactions of a lane that may be out at once.
    pub in_flight_max: u64,
    /// Blocks until success is told.
    pub confirmed_at: u64,
    /// Blocks until money is released.
    pub final_at: u64,
    /// Whether release also waits for the node's tag.
    pub final_tag: bool,
    /// Whether blocks count only if two providers have them.
    pub second_opinion: bool,
    /// From one report of a treasury to the next.
    pub reconcile_ms: u64,
    /// Providers of the chain.
    pub providers: usize,
    /// Whether providers are asked by turns, not one after another fails.
    pub rotate: bool,
    /// What nodes do with a number that does not follow.
    pub gaps: Gaps,
    /// Transactions of one account that a node's pool takes.
    pub account_max: u64,
    /// Blocks after which an urgent transaction is stuck.
    pub stuck_after: u64,
    /// Wei per gas above which nothing is signed.
    pub fee_cap_wei: u64,
    /// Wei per gas that nobody tips more than for the market's sake.
    pub tip_cap_wei: u64,
    /// What each treasury holds of the coin, in whole coins; the tenant's account gets all but ten of it.
    pub coins: u64,
    /// What each treasury and tenant has of each token, in whole tokens.
    pub tokens: u64,
    /// Shards of an account that its money lies on at first.
    pub shards: u8,
    /// Where what struck and what was reached is counted.
    pub coverage: Coverage,
    /// What is broken on purpose.
    pub sabotage: Sabotage,
}

impl Default for Setup {
    fn default() -> Self {
        Self {
            seed: 1,
            in_flight_max: 2000,
            confirmed_at: 3,
            final_at: 6,
            final_tag: false,
            second_opinion: false,
            reconcile_ms: EVERY_MS,
            providers: 1,
            rotate: false,
            gaps: Gaps::Queued,
            account_max: ModelConfig::default().account_max,
            stuck_after: 5,
            fee_cap_wei: 500_000_000_000,
            tip_cap_wei: 2_000_000_000,
            coins: 1000,
            tokens: 1_000_000,
            shards: ACCOUNT_SHARDS,
            coverage: Coverage::default(),
            sabotage: Sabotage::None,
        }
    }
}

impl Setup {
    /// The networks as the handlers are told of them.
    fn told_networks(&self) -> Networks {
        let (confirmed_at, final_at) = match self.sabotage {
            Sabotage::ConfirmEarly => (1, self.final_at),
            Sabotage::ReleaseEarly => (self.confirmed_at, self.confirmed_at),
            Sabotage::None
            | Sabotage::BroadcastFirst
            | Sabotage::IgnoreExpectations
            | Sabotage::BurnNumbers
            | Sabotage::TimeoutFails
            | Sabotage::PostTwice
            | Sabotage::ForgetRelease
            | Sabotage::WaitForever
            | Sabotage::RefundSigned
            | Sabotage::ForgetAudit
            | Sabotage::CreditTwice
            | Sabotage::IgnoreSwitches
            | Sabotage::DropHash
            | Sabotage::ForgetCancel
            | Sabotage::RecycleNumbers
            | Sabotage::ForgetSweep
            | Sabotage::IgnoreHalts
            | Sabotage::CancelStuck
            | Sabotage::RejectUnsure
            | Sabotage::RaiseTooLittle
            | Sabotage::IgnoreBranches => (self.confirmed_at, self.final_at),
        };
        Self { confirmed_at, final_at, ..self.clone() }.networks()
    }

    fn networks(&self) -> Networks {
        let token = |(address, symbol, decimals): (Address, &str, u8)| {
            let limits = if address == TUSD { r#", max_per_transfer = "1000", max_per_day = "5000""# } else { "" };
            format!(r#"{{ symbol = "{symbol}", address = "{address}", decimals = {decimals}{limits} }}"#)
        };
        let tokens: Vec<String> = ASSETS.into_iter().skip(1).map(token).collect();
        let text = format!(
            "[[network]]\nid = \"local\"\nchain_id = 31337\nnative = {{ symbol = \"ETH\", decimals = 18 }}\n\
             block_time_ms = 1000\npoll_ms = 200\nconfirmed_at = {}\nfinal_at = {}\nfinal_tag = {}\nsecond_opinion = {}\n\
             max_fee_per_gas_wei = {}\nmax_priority_fee_per_gas_wei = {}\nin_flight_max = {}\nstuck_after = {}\n\
             token = [{}]\n",
            self.confirmed_at,
            self.final_at,
            self.final_tag,
            self.second_opinion,
            self.fee_cap_wei,
            self.tip_cap_wei,
            self.in_flight_max,
            self.stuck_after,
            tokens.join(", "),
        );
        Networks::parse(&text, &["local"]).expect("the simulation's own network")
    }
}

/// A deployment with its surroundings.
#[derive(Debug)]
pub struct World {
    /// Time and chance.
    pub clock: SimClock,
    /// Rows without faults.
    pub rows: MemoryStore,
    /// Rows as handlers see them.
    pub store: Rows,
    /// Commits that go wrong.
    pub script: Script,
    /// Queues.
    pub queue: MemoryQueue,
    /// Keys.
    pub keys: MemoryKeys,
    /// The chain.
    pub chain: ModelChain,
    /// Whether handlers give way to each other.
    pub crossing: Crossing,
    /// Rules that were broken at the moment they are about.
    pub caught: Caught,
    /// Lanes that stand halted.
    pub halts: Halts,
    /// What nodes refuse for good.
    pub refused: Refusals,
    /// The network's rules.
    pub network: causeway_domain::Network,
    /// The clients' door.
    pub router: Router,
    /// The operators' door.
    pub operators: Router,
    /// What clients ask for.
    pub clients: Clients,
    /// What operators asked for.
    pub people: People,
    /// The signer.
    pub signer: Arc<Signer>,
    /// The sender.
    pub sender: Arc<Sender>,
    /// The tracker.
    pub tracker: Arc<Tracker>,
    /// The settler.
    pub settler: Arc<Settler>,
    /// The recorder of dead letters.
    pub recorder: Arc<Recorder>,
    /// The tracker's leadership, while somebody leads.
    pub lead: Option<Lead>,
    /// Name of the process that tracks.
    pub leader: String,
    /// Messages under way.
    pub inbox: Inbox,
    /// Queues that are not read just now.
    pub held: BTreeSet<&'static str>,
    /// When the next block comes; none come by themselves while it is absent.
    pub next_block_at: Option<u64>,
    /// Time from one block to the next.
    pub block_ms: u64,
    /// Shards of an account that money is put on.
    pub shards: u8,
    /// What was put into the books.
    pub credited: BTreeMap<AccountId, i128>,
    /// What the books have and the chain does not yet: whose, of what, how much.
    pub owed_in: RefCell<Vec<(Address, Option<Address>, U256)>>,
    /// How often somebody else used a lane's number.
    pub strangers: Cell<u64>,
    /// Blocks that left the chain although they were final.
    pub left: RefCell<BTreeSet<B256>>,
    /// Parcels that clients were told of.
    pub told: BTreeSet<ParcelId>,
    /// What the handlers measured.
    pub measured: Measured,
    /// What struck, and what was reached.
    pub coverage: Coverage,
    /// What the rows say, as of the last check.
    pub rules: RefCell<Rules>,
    /// The newest block at the last check.
    pub newest: Cell<Option<B256>>,
    /// How many clients had been told of a transfer then.
    pub checked: Cell<usize>,
    /// Time between two looks of the platform.
    pub step_ms: u64,
    /// So many of them pass at once when nothing was delivered at the last one.
    pub patience: u64,
    /// Whether nothing was.
    pub idle: bool,
    /// Providers of the chain.
    pub providers: usize,
    /// Blocks until success may be told, and until money may be released.
    pub depths: (u64, u64),
    /// What nodes call final.
    pub tag: Tag,
    /// What each process sees.
    pub views: Views,
    lanes: BTreeMap<&'static str, LaneId>,
    networks: Networks,
    chain_port: Arc<dyn Chain>,
}

impl World {
    /// A deployment with funded treasuries.
    pub fn new(setup: Setup) -> Self {
        let clock = SimClock::new(setup.seed);
        let script = Script::default();
        let rows = MemoryStore::new();
        rows.journal();
        let coverage = setup.coverage.clone();
        let crossing = Crossing::new(clock.clone());
        let faulty = rows.with_faults(Arc::new(script.clone()));
        let store = Rows::new(faulty, rows.clone(), crossing.clone(), setup.sabotage);
        let queue = MemoryQueue::new();
        let keys = MemoryKeys::new();
        let networks = setup.told_networks();
        let network = networks.iter().next().expect("one network").clone();
        let lane = |tenant| {
            let key = KeyRef::Kms { key_id: format!("treasury-{tenant}") };
            (tenant, LaneId { network: network.id.clone(), address: keys.create(key) })
        };
        let lanes = TENANTS.map(lane).into_iter().collect();
        let chain = ModelChain::new(ModelConfig {
            providers: setup.providers,
            rotate: setup.rotate,
            gaps: setup.gaps,
            account_max: setup.account_max,
            ..ModelConfig::default()
        });
        let (caught, refused, halts) = (Caught::default(), Refusals::default(), store.halts.clone());
        let seen = Network {
            inner: chain.clone(),
            id: network.id.clone(),
            rows: rows.clone(),
            crossing: crossing.clone(),
            caught: caught.clone(),
            halts: halts.clone(),
            refused: refused.clone(),
            coverage: coverage.clone(),
            sabotage: setup.sabotage,
            who: String::new(),
            trace: Trace::default(),
        };
        let port: Arc<dyn Chain> = Arc::new(seen.clone());
        store.send_with(Arc::clone(&port));
        coverage.trace().follow(&clock);
        let views = Views {
            rows: store.clone(),
            queues: Queues {
                inner: queue.clone(),
                crossing: crossing.clone(),
                who: String::new(),
                trace: Trace::default(),
            },
            keys: Signatures {
                inner: keys.clone(),
                chain: chain.clone(),
                lost: Dice::default(),
                caught: caught.clone(),
                crossing: crossing.clone(),
                who: String::new(),
                trace: Trace::default(),
            },
            chain: seen,
            clock: clock.clone(),
            skews: Skews::default(),
            trace: coverage.trace(),
        };
        let claims = Claims { tenant: "custom:tenant".into(), user: "sub".into(), roles: "cognito:groups".into() };
        let view = views.of("intake");
        let intake = Arc::new(Intake {
            store: view.store,
            queue: view.queue,
            clock: view.clock,
            networks: networks.clone(),
            claims,
            directory: Directory::default(),
        });
        let measured = Measured::default();
        let metrics = Metrics::to("causeway-simulated", Arc::new(measured.clone()));
        let signer = signer(&views, &networks, &metrics);
        let tracker = tracker(&views, "status-check", &networks, &metrics, setup.reconcile_ms);
        let (sender, settler, recorder) = (views.of(SENDER), views.of(SETTLER), views.of("dead-letters"));
        let mut world = Self {
            router: causeway_intake::handler::router(intake),
            operators: operators(&views, &keys, &networks),
            signer,
            sender: Arc::new(Sender {
                store: sender.store,
                queue: sender.queue,
                chains: sender.chains,
                clock: sender.clock,
                metrics: metrics.clone(),
                memory: causeway_send::Memory::default(),
            }),
            tracker,
            settler: Arc::new(Settler {
                store: settler.store,
                queue: settler.queue,
                clock: settler.clock,
                metrics: metrics.clone(),
            }),
            recorder: Arc::new(Recorder { store: recorder.store, clock: recorder.clock, metrics }),
            clients: Clients::default(),
            people: People::default(),
            views,
            lead: None,
            leader: "leader-0".to_owned(),
            inbox: Inbox::counting(&coverage),
            held: BTreeSet::new(),
            next_block_at: Some(clock.now_ms() + network.block_time_ms),
            block_ms: network.block_time_ms,
            shards: setup.shards,
            credited: BTreeMap::new(),
            owed_in: RefCell::default(),
            strangers: Cell::default(),
            left: RefCell::default(),
            told: BTreeSet::new(),
            measured,
            rules: RefCell::new(Rules::counting(&coverage)),
            coverage,
            newest: Cell::default(),
            checked: Cell::default(),
            clock,
            rows,
            store,
            script,
            queue,
            keys,
            chain,
            crossing,
            caught,
            halts,
            refused,
            network,
            step_ms: STEP_MS,
            patience: 1,
            idle: false,
            providers: setup.providers,
            depths: (setup.confirmed_at, setup.final_at),
            tag: Tag::default(),
            lanes,
            networks,
            chain_port: port,
        };
        world.fund(&setup);
        world
    }

    /// Writes rows past all faults.
    pub fn must_commit(&self, writes: &[Write]) {
        let done = self.clock.run(commit(&self.rows, &self.clock, writes)).expect("memory does not fail");
        assert!(matches!(done, Done::Committed), "{done:?}");
    }

    /// A tenant's identifier.
    pub fn tenant(&self, name: &str) -> TenantId {
        name.parse().expect("a name")
    }

    /// The lane of a tenant's treasury.
    pub fn lane(&self, tenant: &str) -> LaneId {
        self.lanes.get(tenant).cloned().expect("a tenant")
    }

    /// An asset's identifier.
    pub fn asset(&self, symbol: &str) -> AssetId {
        let network: NetworkId = self.network.id.clone();
        let (address, ..) = ASSETS.into_iter().find(|(_, known, _)| *known == symbol).expect("a listed asset");
        AssetId { network, address }
    }

    /// The chain as handlers see it.
    pub fn chain_port(&self) -> Arc<dyn Chain> {
        Arc::clone(&self.chain_port)
    }

    /// Another process of the signer: the same ports, a memory of its own.
    pub fn another_signer(&self) -> Arc<Signer> {
        self.signer_with(&self.networks)
    }

    /// A signer of a version that has another list of networks.
    pub fn signer_with(&self, networks: &Networks) -> Arc<Signer> {
        signer(&self.views, networks, &self.signer.metrics)
    }

    /// From now on treasuries are looked at every so often: an hour is longer than a story.
    pub fn reconcile_every(&mut self, reconcile_ms: u64) {
        self.tracker = tracker(&self.views, "status-check", &self.networks, &self.tracker.metrics, reconcile_ms);
    }

    /// Another process of the tracker: the same ports, a clock of its own.
    pub fn another_tracker(&self, who: &str) -> Arc<Tracker> {
        tracker(&self.views, who, &self.networks, &self.tracker.metrics, self.tracker.reconcile_ms)
    }
}

fn signer(views: &Views, networks: &Networks, metrics: &Metrics) -> Arc<Signer> {
    let view = views.of(SIGNER);
    Arc::new(Signer {
        store: view.store,
        queue: view.queue,
        keys: view.keys,
        chains: view.chains,
        clock: view.clock,
        metrics: metrics.clone(),
        networks: networks.clone(),
        memory: Memory::default(),
    })
}

fn tracker(views: &Views, who: &str, networks: &Networks, metrics: &Metrics, reconcile_ms: u64) -> Arc<Tracker> {
    let view = views.of(who);
    Arc::new(Tracker {
        store: view.store,
        queue: view.queue,
        chains: view.chains,
        clock: view.clock,
        metrics: metrics.clone(),
        networks: networks.clone(),
        reconcile_ms,
    })
}
