//! Imported keys: read from one secret, kept for a while, and signed with here.
//!
//! The text of the secret is wiped as soon as it is parsed, and each key when it is dropped. What
//! the SDK and the TLS layer held on the way is theirs to free.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use alloy_primitives::{Address, hex};
use aws_sdk_secretsmanager::Client;
use k256::ecdsa::SigningKey;
use zeroize::Zeroizing;

use super::error;
use crate::{curve, port::KeyError};

/// How long keys are used before the secret is read again, so that a key that was taken away stops.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);

/// A key and the address it signs for. No `Debug`: it holds a secret.
pub(super) struct Imported {
    pub(super) key: SigningKey,
    pub(super) address: Address,
}

/// The secret's entries; `None` where the text is no key.
type Entries = HashMap<String, Option<Arc<Imported>>>;

struct Loaded {
    at: Instant,
    entries: Entries,
}

pub(super) struct ImportedKeys {
    client: Client,
    secret_id: String,
    loaded: Mutex<Option<Loaded>>,
}

impl ImportedKeys {
    pub(super) fn new(client: Client, secret_id: String) -> Self {
        Self { client, secret_id, loaded: Mutex::new(None) }
    }

    /// The key of this name. The secret is read again when the kept copy is too old, does not
    /// have the name, or has a key of another signer under it (it may have been exchanged).
    pub(super) async fn find(&self, name: &str, signer: Option<Address>) -> Result<Arc<Imported>, KeyError> {
        if let Some(kept) = self.kept(name)
            && signer.is_none_or(|signer| signer == kept.address)
        {
            return Ok(kept);
        }
        // Two callers may read at once; both read the same, and the later one is kept.
        let entries = self.read().await?;
        let found = entries.get(name).cloned();
        *self.loaded() = Some(Loaded { at: Instant::now(), entries });
        found.ok_or(KeyError::Missing)?.ok_or_else(|| {
            let reason = "is no secp256k1 key: expected 0x and 64 hexadecimal digits";
            KeyError::Denied(format!("the entry {name} of {} {reason}", self.secret_id).into())
        })
    }

    fn kept(&self, name: &str) -> Option<Arc<Imported>> {
        let loaded = self.loaded();
        let loaded = loaded.as_ref().filter(|loaded| is_fresh(loaded.at, Instant::now()))?;
        loaded.entries.get(name).cloned().flatten()
    }

    async fn read(&self) -> Result<Entries, KeyError> {
        tracing::debug!(target: "calls", service = "secretsmanager", op = "GetSecretValue");
        let call = self.client.get_secret_value().secret_id(&self.secret_id).send();
        let answer = call.await.map_err(error::of_call)?;
        let text = Zeroizing::new(answer.secret_string.unwrap_or_default());
        parse(&text).map_err(|fault| KeyError::Denied(format!("the secret {} {fault}", self.secret_id).into()))
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        // Replaced whole or not at all, so a panic elsewhere does not spoil it.
        self.loaded.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn is_fresh(loaded: Instant, now: Instant) -> bool {
    now.saturating_duration_since(loaded) < KEPT_FOR
}

/// The entries of a secret's text. A text that is no key spoils only its own entry.
fn parse(text: &str) -> Result<Entries, String> {
    // The parser's own message may quote the secret, so only the place is told.
    let texts: HashMap<String, Zeroizing<String>> = serde_json::from_str(text).map_err(|fault| {
        let (line, column) = (fault.line(), fault.column());
        format!("is no JSON object of names and texts: line {line}, column {column}")
    })?;
    Ok(texts.into_iter().map(|(name, text)| (name, imported(&text).map(Arc::new))).collect())
}

fn imported(text: &str) -> Option<Imported> {
    let mut secret = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.strip_prefix("0x")?, secret.as_mut_slice()).ok()?;
    let key = SigningKey::from_slice(secret.as_slice()).ok()?;
    Some(Imported { address: curve::address_of(key.verifying_key()), key })
}

#[cfg(test)]
mod tests {
    use alloy_primitives::address;

    use super::*;

    const ANVIL: &str = "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80";

    #[test]
    fn a_secret_is_read_entry_by_entry() {
        let entries = parse(&format!(
            r#"{{"good": "{ANVIL}", "bare": "{}", "long": "{ANVIL}00", "zero": "0x{}", "no": "0xzz"}}"#,
            &ANVIL[2..],
            "0".repeat(64)
        ))
        .expect("an object of texts");
        assert_eq!(entries.len(), 5);
        for (name, entry) in entries {
            let address = entry.map(|imported| imported.address);
            let expected = address!("f39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
            assert_eq!(address, (name == "good").then_some(expected), "{name}");
        }
    }

    #[test]
    fn a_fault_of_the_text_does_not_quote_it() {
        for text in [format!("\"{ANVIL}\""), ANVIL.to_owned(), format!(r#"{{"a": ["{ANVIL}"]}}"#)] {
            let fault = parse(&text).err().expect("no object of texts");
            assert!(fault.contains("is no JSON object"), "{fault}");
            assert!(!fault.contains("ac09"), "{fault}");
        }
    }

    #[test]
    fn keys_are_kept_for_ten_minutes() {
        let loaded = Instant::now();
        assert!(is_fresh(loaded, loaded));
        assert!(is_fresh(loaded, loaded + KEPT_FOR - Duration::from_nanos(1)));
        assert!(!is_fresh(loaded, loaded + KEPT_FOR));
    }
}
