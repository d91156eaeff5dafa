//! Simulated time and chance, and the executor that makes time pass when nothing else can happen.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::{Pin, pin},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Wake, Waker},
};

use causeway_domain::{Clock, clock::Millis};

/// When every simulation begins: noon of a UTC day.
pub const START_MS: Millis = 1_766_059_200_000;

/// A clock that stands still until somebody sleeps or the test moves it. Clones share it.
#[derive(Debug, Clone)]
pub struct SimClock(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    now_ms: Millis,
    chance: u64,
    sleepers: BTreeMap<(Millis, u64), Option<Waker>>,
    sleeps: u64,
}

impl SimClock {
    /// A clock whose chance follows from the seed.
    pub fn new(seed: u64) -> Self {
        let chance = seed ^ 0x5851_F42D_4C95_7F2D;
        Self(Arc::new(Mutex::new(State { now_ms: START_MS, chance, sleepers: BTreeMap::new(), sleeps: 0 })))
    }

    /// Lets time pass.
    pub fn advance(&self, ms: u64) {
        self.state().now_ms += ms;
        self.wake_due();
    }

    /// A number below `bound`.
    pub fn below(&self, bound: u64) -> u64 {
        self.state().next() % bound.max(1)
    }

    /// Whether something happens that does so in `per_mille` of a thousand cases.
    pub fn chance(&self, per_mille: u64) -> bool {
        self.below(1000) < per_mille
    }

    /// Runs a future to its end. Time passes only while all of it sleeps.
    pub fn run<T>(&self, future: impl Future<Output = T>) -> T {
        let mut future = pin!(future);
        let flag = Arc::new(Flag::default());
        let waker = Waker::from(Arc::clone(&flag));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
                return value;
            }
            if !flag.0.swap(false, Ordering::SeqCst) {
                assert!(self.skip_to_next(), "nothing will ever wake this future");
            }
        }
    }

    /// Polls a future so often at most: a process that is held up there.
    pub fn poll_some<F: Future + ?Sized>(&self, mut future: Pin<&mut F>, polls: u64) -> Option<F::Output> {
        let mut context = Context::from_waker(Waker::noop());
        (0..polls).find_map(|_| match future.as_mut().poll(&mut context) {
            Poll::Ready(value) => Some(value),
            Poll::Pending => None,
        })
    }

    fn skip_to_next(&self) -> bool {
        let mut state = self.state();
        // What is due and still there is held up: nobody polls it.
        let to_come = (state.now_ms + 1, 0);
        let Some((&(at, _), _)) = state.sleepers.range(to_come..).next() else { return false };
        state.now_ms = at;
        drop(state);
        self.wake_due();
        true
    }

    fn wake_due(&self) {
        let mut state = self.state();
        let now = state.now_ms;
        let due: Vec<Waker> = state
            .sleepers
            .iter_mut()
            .take_while(|((at, _), _)| *at <= now)
            .filter_map(|(_, waker)| waker.take())
            .collect();
        drop(state);
        due.into_iter().for_each(Waker::wake);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// SplitMix64 (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.chance = self.chance.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.chance;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl Clock for SimClock {
    fn now_ms(&self) -> Millis {
        self.state().now_ms
    }

    fn random(&self) -> u128 {
        let mut state = self.state();
        u128::from(state.next()) << 64 | u128::from(state.next())
    }

    fn sleep_ms(&self, ms: u64) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        let mut state = self.state();
        state.sleeps += 1;
        let place = (state.now_ms + ms, state.sleeps);
        state.sleepers.insert(place, None);
        drop(state);
        Box::pin(Sleep { clock: self.clone(), place })
    }
}

struct Sleep {
    clock: SimClock,
    place: (Millis, u64),
}

impl Future for Sleep {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let mut state = self.clock.state();
        if state.now_ms >= self.place.0 {
            return Poll::Ready(());
        }
        state.sleepers.insert(self.place, Some(context.waker().clone()));
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.clock.state().sleepers.remove(&self.place);
    }
}

#[derive(Default)]
struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// What became of a future that may be held up.
pub(crate) enum Polled<F: Future> {
    /// It ended.
    Ended(F::Output),
    /// It is held up here, and may go on at any time.
    HeldUp(Pin<Box<F>>),
}

/// Polls a future so often, and hands it back where it has not ended by then.
pub(crate) async fn held_up_after<F: Future>(polls: u64, future: F) -> Polled<F> {
    let (mut left, mut future) = (polls, Some(Box::pin(future)));
    futures::future::poll_fn(move |context| {
        let Some(mut polled) = future.take() else { return Poll::Pending };
        if left == 0 {
            return Poll::Ready(Polled::HeldUp(polled));
        }
        left -= 1;
        match polled.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Polled::Ended(value)),
            Poll::Pending => {
                future = Some(polled);
                Poll::Pending
            }
        }
    })
    .await
}

/// Gives way to the others once.
pub async fn give_way() {
    let mut gave = false;
    futures::future::poll_fn(|context| {
        if gave {
            return Poll::Ready(());
        }
        gave = true;
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// A future that is dropped instead of being polled more than so often: a process that is killed there.
/// Answers `None` where it was.
#[derive(Debug)]
pub struct Killed<F> {
    future: Option<Pin<Box<F>>>,
    polls: u64,
}

/// Kills a future after so many polls.
pub fn killed_after<F: Future>(polls: u64, future: F) -> Killed<F> {
    Killed { future: Some(Box::pin(future)), polls }
}

impl<F: Future> Future for Killed<F> {
    type Output = Option<F::Output>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        if self.polls == 0 {
            self.future = None;
            return Poll::Ready(None);
        }
        self.polls -= 1;
        match self.future.as_mut() {
            None => Poll::Ready(None),
            Some(future) => future.as_mut().poll(context).map(Some),
        }
    }
}
