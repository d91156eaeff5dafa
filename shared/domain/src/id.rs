//! Identifiers: newtypes with a readable prefix, ordered by time where nothing else decides them.

use std::{fmt, str::FromStr};

use alloy_primitives::keccak256;
use serde::{Deserialize, Serialize};
use ulid::Ulid;

use crate::{Clock, clock::Millis};

/// A text that is not the identifier it should be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a valid {what}")]
pub struct IdError {
    /// Which identifier was expected.
    pub what: &'static str,
}

macro_rules! name_type {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text itself.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            /// 1 to 64 characters of letters, digits, `.`, `_`, `-`, `@` and `:`.
            fn from_str(text: &str) -> Result<Self, IdError> {
                let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"._-@:".contains(&byte);
                if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(IdError { what: $what })
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

name_type!(
    /// A client organisation.
    TenantId, "tenant"
);
name_type!(
    /// A person in a tenant (the subject of a JWT).
    UserId, "user"
);
name_type!(
    /// A network's name in this deployment, such as `ethereum`.
    NetworkId, "network"
);

macro_rules! ulid_type {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(Ulid);

        impl $name {
            /// A new identifier, ordered by time.
            pub fn new(clock: &dyn Clock) -> Self {
                Self(Ulid::from_parts(clock.now_ms(), clock.random()))
            }

            /// The identifier that these texts determine: the same texts, the same identifier.
            pub fn derived(parts: &[&str]) -> Self {
                let mut text = String::new();
                for part in parts {
                    // Lengths keep ("ab", "c") and ("a", "bc") apart.
                    text.push_str(&format!("{}:{part};", part.len()));
                }
                let hash = keccak256(text);
                let mut half = [0_u8; 16];
                half.copy_from_slice(&hash[..16]);
                Self(Ulid(u128::from_be_bytes(half)))
            }

            /// The identifier without its prefix.
            pub fn bare(&self) -> String {
                self.0.to_string().to_lowercase()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "_{}"), self.bare())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then(|bare| Ulid::from_string(&bare.to_uppercase()).ok())
                    .map(Self)
                    .filter(|id| id.to_string() == text)
                    .ok_or(IdError { what: concat!($prefix, "_ identifier") })
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;

            fn try_from(text: String) -> Result<Self, IdError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.to_string()
            }
        }
    };
}

ulid_type!(
    /// One item of 1..100 transfers that is claimed, signed and settled together.
    ParcelId, "pcl"
);
ulid_type!(
    /// A dead letter's record.
    DeadLetterId, "dl"
);
ulid_type!(
    /// Runs from a request through every message and row into the logs.
    TraceId, "trc"
);
ulid_type!(
    /// One commit; also the token that makes it repeatable.
    CommitId, "c"
);
ulid_type!(
    /// An operator's act on an account or a lane.
    OperationId, "op"
);

/// A transfer: its parcel and its index there, such as `tr_01k…-0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct TransferId {
    /// The parcel.
    pub parcel: ParcelId,
    /// Position in the parcel.
    pub index: u8,
}

impl fmt::Display for TransferId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "tr_{}-{}", self.parcel.bare(), self.index)
    }
}

impl FromStr for TransferId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "transfer id" };
        let (bare, index) = text.strip_prefix("tr_").and_then(|rest| rest.split_once('-')).ok_or(error.clone())?;
        let parcel = format!("pcl_{bare}").parse().map_err(|_: IdError| error.clone())?;
        let id = Self { parcel, index: index.parse().map_err(|_: std::num::ParseIntError| error.clone())? };
        if id.to_string() == text { Ok(id) } else { Err(error) }
    }
}

impl TryFrom<String> for TransferId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<TransferId> for String {
    fn from(id: TransferId) -> Self {
        id.to_string()
    }
}

/// A withdrawal's public name: `tx-{unix ms}-{9 base-36 characters}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RequestId(String);

impl RequestId {
    /// A new one.
    pub fn new(clock: &dyn Clock) -> Self {
        Self(Self::text(clock.now_ms(), clock.random()))
    }

    fn text(now_ms: Millis, random: u128) -> String {
        let mut rest = random;
        let suffix: String = (0..9)
            .map(|_| {
                let digit = u32::try_from(rest % 36).unwrap_or_default();
                rest /= 36;
                char::from_digit(digit, 36).unwrap_or('0')
            })
            .collect();
        format!("tx-{now_ms}-{suffix}")
    }

    /// The text itself.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for RequestId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let error = IdError { what: "withdrawal id" };
        let (ms, suffix) = text.strip_prefix("tx-").and_then(|rest| rest.split_once('-')).ok_or(error.clone())?;
        let base36 = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
        let whole = (1..=15).contains(&ms.len()) && ms.bytes().all(|byte| byte.is_ascii_digit());
        if whole && suffix.len() == 9 && suffix.bytes().all(base36) { Ok(Self(text.to_owned())) } else { Err(error) }
    }
}

impl TryFrom<String> for RequestId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<RequestId> for String {
    fn from(id: RequestId) -> Self {
        id.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn derived_ids_depend_on_every_part_and_its_bounds() {
        let id = ParcelId::derived(&["acme", "withdrawal", "k1"]);
        assert_eq!(id, ParcelId::derived(&["acme", "withdrawal", "k1"]));
        assert_ne!(id, ParcelId::derived(&["acme", "withdrawalk", "1"]));
        assert_ne!(id, ParcelId::derived(&["acme", "withdrawal", "k2"]));
    }

    #[test]
    fn ids_read_back_and_only_in_their_own_spelling() {
        let id = ParcelId::derived(&["x"]);
        assert_eq!(id.to_string().parse(), Ok(id));
        assert!(id.to_string().to_uppercase().parse::<ParcelId>().is_err());
        let transfer = TransferId { parcel: id, index: 7 };
        assert_eq!(transfer.to_string().parse(), Ok(transfer));
        assert!(format!("tr_{}-07", id.bare()).parse::<TransferId>().is_err());
        assert!(format!("tr_{}", id.bare()).parse::<TransferId>().is_err());
    }

    #[test]
    fn request_ids_have_their_published_form() {
        let text = RequestId::text(1_766_000_000_000, 36_u128.pow(9) - 1);
        assert_eq!(text, "tx-1766000000000-zzzzzzzzz");
        assert!(text.parse::<RequestId>().is_ok());
        for bad in ["tx-1766000000000-ZZZZZZZZZ", "tx--zzzzzzzzz", "tx-1-zz", "tx-1x-zzzzzzzzz", "1-zzzzzzzzz"] {
            assert!(bad.parse::<RequestId>().is_err(), "{bad}");
        }
    }
}
