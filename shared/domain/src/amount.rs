//! Amounts of money: whole numbers of an asset's smallest unit, decimal strings at the edge.

use std::fmt;

use alloy_primitives::U256;
use serde::{Deserialize, Serialize, Serializer, de};

/// First integer that is too large: DynamoDB's numbers keep 38 digits.
const LIMIT: u128 = 10_u128.pow(38);

/// An amount in an asset's smallest unit, 0 <= amount < 10^38. Never floating point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Amount(u128);

/// Why a text is not an amount of an asset.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AmountError {
    /// Not digits with at most one point between them.
    #[error("must be a positive decimal number such as \"12.5\"")]
    Syntax,
    /// Nothing would move.
    #[error("must be greater than zero")]
    Zero,
    /// More decimals than the asset has.
    #[error("has more than the {decimals} decimals of this asset")]
    TooPrecise {
        /// The asset's decimals.
        decimals: u8,
    },
    /// 10^38 smallest units or more.
    #[error("is too large")]
    TooLarge,
}

impl Amount {
    /// No money.
    pub const ZERO: Self = Self(0);
    /// The most.
    pub const MAX: Self = Self(LIMIT - 1);

    /// An amount of smallest units, if it is below 10^38.
    pub const fn new(units: u128) -> Option<Self> {
        if units < LIMIT { Some(Self(units)) } else { None }
    }

    /// Smallest units.
    pub const fn units(self) -> u128 {
        self.0
    }

    /// Smallest units as the store's signed numbers have them.
    pub fn signed(self) -> i128 {
        // Below 10^38, which is below 2^127.
        i128::try_from(self.0).unwrap_or(i128::MAX)
    }

    /// Smallest units as chains have them.
    pub fn to_u256(self) -> U256 {
        U256::from(self.0)
    }

    /// The sum, if it is an amount.
    pub fn plus(self, other: Self) -> Option<Self> {
        self.0.checked_add(other.0).and_then(Self::new)
    }

    /// The difference, if it is not negative.
    pub fn minus(self, other: Self) -> Option<Self> {
        self.0.checked_sub(other.0).map(Self)
    }

    /// Reads a positive decimal string exactly: `[0-9]+(\.[0-9]+)?`, no sign, no exponent, no spaces.
    pub fn parse(text: &str, decimals: u8) -> Result<Self, AmountError> {
        let (whole, fraction) = match text.split_once('.') {
            Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
            Some(_) => return Err(AmountError::Syntax),
            None => (text, ""),
        };
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty() || !digits(whole) || !digits(fraction) {
            return Err(AmountError::Syntax);
        }
        let fraction = fraction.trim_end_matches('0');
        if fraction.len() > usize::from(decimals) {
            return Err(AmountError::TooPrecise { decimals });
        }
        let padding = "0".repeat(usize::from(decimals) - fraction.len());
        let all = format!("{whole}{fraction}{padding}");
        let significant = all.trim_start_matches('0');
        if significant.is_empty() {
            return Err(AmountError::Zero);
        }
        if significant.len() > 38 {
            return Err(AmountError::TooLarge);
        }
        significant.parse().ok().and_then(Self::new).ok_or(AmountError::TooLarge)
    }

    /// The amount in the asset's own unit, without trailing zeros: `1500000` of 6 decimals is `1.5`.
    pub fn format(self, decimals: u8) -> String {
        let width = usize::from(decimals) + 1;
        let digits = format!("{:0>width$}", self.0);
        let (whole, fraction) = digits.split_at(digits.len() - usize::from(decimals));
        let fraction = fraction.trim_end_matches('0');
        if fraction.is_empty() { whole.to_owned() } else { format!("{whole}.{fraction}") }
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<U256> for Amount {
    type Error = AmountError;

    fn try_from(units: U256) -> Result<Self, AmountError> {
        u128::try_from(units).ok().and_then(Self::new).ok_or(AmountError::TooLarge)
    }
}

/// Stored as a decimal string of smallest units: JSON numbers lose digits in many readers.
impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.to_string())
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().ok().and_then(Self::new).ok_or_else(|| de::Error::custom("not an amount of smallest units"))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_exactly() {
        assert_eq!(Amount::parse("1.5", 6), Ok(Amount(1_500_000)));
        assert_eq!(Amount::parse("0.000001", 6), Ok(Amount(1)));
        assert_eq!(Amount::parse("007.10", 1), Ok(Amount(71)));
        assert_eq!(Amount::parse("3", 0), Ok(Amount(3)));
        assert_eq!(Amount::parse("99999999999999999999999999999999999999", 0), Ok(Amount(LIMIT - 1)));
    }

    #[test]
    fn refuses_with_the_reason() {
        for text in ["", ".", "1.", ".5", "-1", "+1", "1e3", " 1", "1 ", "1,5", "1.2.3", "0x10", "١", "NaN"] {
            assert_eq!(Amount::parse(text, 6), Err(AmountError::Syntax), "{text:?}");
        }
        assert_eq!(Amount::parse("0.000", 6), Err(AmountError::Zero));
        assert_eq!(Amount::parse("0.0000001", 6), Err(AmountError::TooPrecise { decimals: 6 }));
        assert_eq!(Amount::parse("1.1", 0), Err(AmountError::TooPrecise { decimals: 0 }));
        assert_eq!(Amount::parse("100000000000000000000", 18), Err(AmountError::TooLarge));
    }

    proptest! {
        #[test]
        fn format_and_parse_are_inverse(units in 1..LIMIT, decimals in 0_u8..=36) {
            let amount = Amount(units);
            prop_assert_eq!(Amount::parse(&amount.format(decimals), decimals), Ok(amount));
        }

        #[test]
        fn any_text_is_answered(text in "\\PC{0,60}", decimals in 0_u8..=36) {
            let _ = Amount::parse(&text, decimals);
        }
    }
}
