//! Keys made for tests: the same name always gives the same key, and the test decides on faults.

use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use alloy_primitives::{Address, B256, keccak256};
use async_trait::async_trait;
use k256::ecdsa::SigningKey;

use crate::{
    curve,
    port::{KeyError, KeyRef, Keys, PublicKeys, Signature},
};

/// What shall happen to one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// It works.
    Pass,
    /// The caller hears `Denied`.
    Denied,
    /// The caller hears `Unavailable`.
    Unavailable,
}

/// Decides on each call.
type FaultHook = Box<dyn FnMut(&KeyRef) -> Fault + Send>;

/// Keys in memory, never for real money. Clones share the same keys.
#[derive(Clone, Default)]
pub struct MemoryKeys {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Default)]
struct Inner {
    held: HashMap<KeyRef, SigningKey>,
    fault: Option<FaultHook>,
}

/// Every key that was made: its address is a multiplication on the curve, and thousands of stories make the same ones.
static MADE: LazyLock<Mutex<HashMap<KeyRef, (SigningKey, Address)>>> = LazyLock::new(Mutex::default);

/// The key that belongs to a reference, and its address.
fn make(key: &KeyRef) -> (SigningKey, Address) {
    let mut secret = match key {
        KeyRef::Kms { key_id } => keccak256(format!("test key kms {key_id}")),
        KeyRef::Secret { name } => keccak256(format!("test key secret {name}")),
    };
    loop {
        if let Ok(signing) = SigningKey::from_slice(secret.as_slice()) {
            let address = curve::address_of(signing.verifying_key());
            return (signing, address);
        }
        // Zero and numbers beyond the group's order are no keys.
        secret = keccak256(secret);
    }
}

impl MemoryKeys {
    /// No keys.
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the key that belongs to this reference, the same in every run, and answers its address.
    pub fn create(&self, key: KeyRef) -> Address {
        let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
        let (signing, address) = made.entry(key.clone()).or_insert_with(|| make(&key)).clone();
        self.lock().held.insert(key, signing);
        address
    }

    /// Holds a key with this secret and answers its address; `None` if the number is no key.
    pub fn import(&self, key: KeyRef, secret: B256) -> Option<Address> {
        let signing = SigningKey::from_slice(secret.as_slice()).ok()?;
        let address = curve::address_of(signing.verifying_key());
        self.lock().held.insert(key, signing);
        Some(address)
    }

    /// Lets the hook decide on every later call.
    pub fn set_fault(&self, hook: impl FnMut(&KeyRef) -> Fault + Send + 'static) {
        self.lock().fault = Some(Box::new(hook));
    }

    /// Lets every later call work.
    pub fn clear_fault(&self) {
        self.lock().fault = None;
    }

    fn find(&self, key: &KeyRef) -> Result<SigningKey, KeyError> {
        let mut inner = self.lock();
        let fault = inner.fault.as_mut().map_or(Fault::Pass, |hook| hook(key));
        match fault {
            Fault::Pass => inner.held.get(key).cloned().ok_or(KeyError::Missing),
            Fault::Denied => Err(KeyError::Denied("denied by the test".into())),
            Fault::Unavailable => Err(KeyError::Unavailable("unavailable by the test".into())),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // A test that panicked while it held the lock has already failed; others may go on.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for MemoryKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryKeys").field("held", &self.lock().held.len()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Keys for MemoryKeys {
    async fn address(&self, key: &KeyRef) -> Result<Address, KeyError> {
        Ok(curve::address_of(self.find(key)?.verifying_key()))
    }

    async fn sign(&self, key: &KeyRef, signer: Address, digest: B256) -> Result<Signature, KeyError> {
        curve::sign_in_the_open(&self.find(key)?, signer, digest)
    }
}

#[async_trait]
impl PublicKeys for MemoryKeys {
    async fn kms_address(&self, key_id: &str) -> Result<Address, KeyError> {
        self.address(&KeyRef::Kms { key_id: key_id.to_owned() }).await
    }
}
