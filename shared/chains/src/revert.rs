//! Why a call reverted, in words a client can be told.

use alloy::sol_types::{Panic, Revert, SolError};
use alloy_primitives::{Address, U256, keccak256};
use causeway_domain::limits::REVERT_REASON_CHARS_MAX;

/// A custom error whose arguments are all one word wide.
struct Known {
    /// Name and types, as its selector is computed from them.
    signature: &'static str,
    /// Names of its arguments.
    arguments: &'static [&'static str],
}

/// ERC-6093 for ERC-20, what OpenZeppelin's tokens add to it, and our own.
/// The standard's errors for other tokens are left out: nothing here moves those.
const KNOWN: [Known; 10] = [
    Known {
        signature: "ERC20InsufficientBalance(address,uint256,uint256)",
        arguments: &["sender", "balance", "needed"],
    },
    Known { signature: "ERC20InvalidSender(address)", arguments: &["sender"] },
    Known { signature: "ERC20InvalidReceiver(address)", arguments: &["receiver"] },
    Known {
        signature: "ERC20InsufficientAllowance(address,uint256,uint256)",
        arguments: &["spender", "allowance", "needed"],
    },
    Known { signature: "ERC20InvalidApprover(address)", arguments: &["approver"] },
    Known { signature: "ERC20InvalidSpender(address)", arguments: &["spender"] },
    Known { signature: "SafeERC20FailedOperation(address)", arguments: &["token"] },
    Known { signature: "EnforcedPause()", arguments: &[] },
    Known { signature: "OwnableUnauthorizedAccount(address)", arguments: &["account"] },
    Known { signature: "Blacklisted(address)", arguments: &["account"] },
];

/// Reads revert data; always an answer, of at most [`REVERT_REASON_CHARS_MAX`] printable characters.
pub fn reason(data: &[u8]) -> String {
    let Some((selector, words)) = data.split_first_chunk::<4>() else {
        return "reverted without a reason".to_owned();
    };
    let text = standard(data).or_else(|| named(*selector, words));
    let text = text.map(|text| printable(&text, REVERT_REASON_CHARS_MAX)).filter(|text| !text.is_empty());
    text.unwrap_or_else(|| format!("custom error 0x{}", alloy_primitives::hex::encode(selector)))
}

/// A foreign text without control and direction-changing characters, and without those that SQS refuses a whole message for
/// (U+FFFE, U+FFFF), cut to a number of characters: it ends up in messages, logs, tables and consoles.
pub(crate) fn printable(text: &str, chars_max: usize) -> String {
    let hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
            || matches!(c, '\u{fffe}' | '\u{ffff}')
    };
    text.chars().filter(|c| !hidden(*c)).take(chars_max).collect::<String>().trim().to_owned()
}

/// Solidity's own two errors.
fn standard(data: &[u8]) -> Option<String> {
    if let Ok(revert) = Revert::abi_decode_validate(data) {
        let empty = revert.reason.is_empty();
        return Some(if empty { "reverted without a reason".to_owned() } else { revert.reason });
    }
    let code = Panic::abi_decode_validate(data).ok()?.code;
    let kind = u32::try_from(code).ok().and_then(alloy::sol_types::PanicKind::from_number);
    let meaning = kind.map_or("unknown", |kind| kind.as_str());
    Some(format!("panic {code:#04x}: {meaning}"))
}

fn named(selector: [u8; 4], words: &[u8]) -> Option<String> {
    let known = KNOWN.iter().find(|known| keccak256(known.signature)[..4] == selector)?;
    let (name, types) = known.signature.strip_suffix(')')?.split_once('(')?;
    if words.len() != known.arguments.len() * 32 {
        return None;
    }
    let arguments = types.split(',').zip(known.arguments).zip(words.chunks_exact(32));
    let arguments: Option<Vec<String>> =
        arguments.map(|((kind, name), word)| Some(format!("{name}: {}", value(kind, word)?))).collect();
    Some(format!("{name}({})", arguments?.join(", ")))
}

fn value(kind: &str, word: &[u8]) -> Option<String> {
    match kind {
        "address" if word[..12].iter().all(|byte| *byte == 0) => Some(Address::from_slice(&word[12..]).to_string()),
        "uint256" => Some(U256::from_be_slice(word).to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloy_primitives::hex;
    use proptest::prelude::*;

    use super::*;

    fn words(selector: [u8; 4], words: &[U256]) -> Vec<u8> {
        let mut data = selector.to_vec();
        words.iter().for_each(|word| data.extend(word.to_be_bytes::<32>()));
        data
    }

    fn text(reason: &str) -> Vec<u8> {
        Revert { reason: reason.to_owned() }.abi_encode()
    }

    #[test]
    fn texts_are_kept_clean_and_short() {
        assert_eq!(reason(&text("ERC20: paused")), "ERC20: paused");
        assert_eq!(reason(&text("a\u{1b}[31mred\nline\u{202e}")), "a[31mredline");
        assert_eq!(reason(&text(&"ß".repeat(400))), "ß".repeat(REVERT_REASON_CHARS_MAX));
        assert_eq!(reason(&text("")), "reverted without a reason");
        assert_eq!(reason(&text("\n\t")), "custom error 0x08c379a0");
        assert_eq!(reason(&text("\u{ffff}")), "custom error 0x08c379a0", "no queue takes it");
        assert_eq!(reason(&text("not\u{fffe} today")), "not today");
    }

    #[test]
    fn panics_are_explained() {
        let panic = |code: u64| reason(&words(hex!("4e487b71"), &[U256::from(code)]));
        assert!(panic(0x11).starts_with("panic 0x11: arithmetic"), "{}", panic(0x11));
        assert!(panic(0x12).contains("zero"), "{}", panic(0x12));
        assert_eq!(panic(0x99), "panic 0x99: unknown");
    }

    #[test]
    fn known_errors_are_named_with_their_arguments() {
        // Selectors as OpenZeppelin's compiled contracts carry them.
        let data = words(hex!("e450d38c"), &[U256::from(1), U256::from(5), U256::from(10)]);
        assert_eq!(
            reason(&data),
            "ERC20InsufficientBalance(sender: 0x0000000000000000000000000000000000000001, balance: 5, needed: 10)"
        );
        let receiver = words(hex!("ec442f05"), &[U256::ZERO]);
        assert_eq!(reason(&receiver), "ERC20InvalidReceiver(receiver: 0x0000000000000000000000000000000000000000)");
        assert_eq!(reason(&words(hex!("d93c0665"), &[])), "EnforcedPause()");
        let selector = keccak256("Blacklisted(address)")[..4].try_into().expect("four bytes");
        let blacklisted = words(selector, &[U256::from(2)]);
        assert_eq!(reason(&blacklisted), "Blacklisted(account: 0x0000000000000000000000000000000000000002)");
    }

    #[test]
    fn what_does_not_decode_is_told_by_its_selector() {
        assert_eq!(reason(&hex!("12345678")), "custom error 0x12345678");
        assert_eq!(reason(&words(hex!("ec442f05"), &[U256::MAX])), "custom error 0xec442f05", "no address");
        assert_eq!(reason(&hex!("ec442f05")), "custom error 0xec442f05", "no argument");
        assert_eq!(reason(&hex!("08c379a0ff")), "custom error 0x08c379a0", "no text");
        assert_eq!(reason(&[]), "reverted without a reason");
        assert_eq!(reason(&[1, 2, 3]), "reverted without a reason");
    }

    proptest! {
        #[test]
        fn any_data_is_answered_within_bounds(data: Vec<u8>, message in "\\PC{0,400}", odd: Vec<char>) {
            for data in [data, text(&message), text(&odd.iter().collect::<String>())] {
                let reason = reason(&data);
                prop_assert!(!reason.is_empty() && reason.chars().count() <= REVERT_REASON_CHARS_MAX);
                let refused = |c: char| c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}');
                prop_assert!(!reason.chars().any(refused));
            }
        }
    }
}
