//! Reads what nodes say to a broadcast.
//!
//! Clients have no common error codes: the same answer has a dozen spellings, and gateways wrap them once more.
//! `table` lists the spellings with their sources; this file only looks for them. Rules:
//!
//! - The words decide, the code only where no word is known: the same code means a rate limit at one gateway
//!   and a gas limit at one client.
//! - Phrases match whole words, letter case and punctuation aside. A longer phrase takes its words away before a
//!   shorter one looks, so "replacement transaction underpriced" is never "transaction underpriced", and the order
//!   of the table does not matter.
//! - A text that says two different things says nothing: `Unknown`.
//! - A text nobody has listed is `Unknown`, never `Refused`: unknown is not failed.
//!
//! Invariant: `Refused` is only what every honest node of the network must answer to these bytes, whatever its
//! settings, load or height (the table names the few that come close enough).

mod page;
mod table;
#[cfg(test)]
mod tests;

use std::sync::OnceLock;

pub use page::page;

use causeway_domain::limits::REVERT_REASON_CHARS_MAX;

use crate::port::BroadcastOutcome;
use table::{CODES, GROUPS, Group};

/// What a listed text says; [`BroadcastOutcome`] without its details.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    AlreadyKnown,
    NumberTooLow,
    NumberTooHigh,
    ReplacementUnderpriced,
    Underpriced,
    InsufficientFunds,
    Busy,
    Refused,
    Unknown,
}

/// Characters of an answer that are read: gateways answer with whole web pages, and the words come first.
const READ_CHARS_MAX: usize = 4_000;

/// Most words a `*` in a phrase stands for: a number, an address, or both with their names.
const GAP_WORDS_MAX: usize = 6;

/// Classifies the error answer to `eth_sendRawTransaction`, in any client's or gateway's dialect.
///
/// `code` and `message` are those of the JSON-RPC error. What travelled outside of such an error (a lost connection,
/// an HTTP status) is the caller's to read, and so is any wait it asks for: these texts carry none.
pub fn broadcast(code: Option<i64>, message: &str) -> BroadcastOutcome {
    match class_of(code, message) {
        Class::AlreadyKnown => BroadcastOutcome::AlreadyKnown,
        Class::NumberTooLow => BroadcastOutcome::NumberTooLow,
        Class::NumberTooHigh => BroadcastOutcome::NumberTooHigh,
        Class::ReplacementUnderpriced => BroadcastOutcome::ReplacementUnderpriced,
        Class::Underpriced => BroadcastOutcome::Underpriced,
        Class::InsufficientFunds => BroadcastOutcome::InsufficientFunds,
        Class::Busy => BroadcastOutcome::Busy { after_ms: None },
        Class::Refused => BroadcastOutcome::Refused { reason: bounded(message) },
        Class::Unknown => BroadcastOutcome::Unknown {
            detail: match code {
                Some(code) => bounded(&format!("{code}: {message}")),
                None => bounded(message),
            },
        },
    }
}

/// One line of at most [`REVERT_REASON_CHARS_MAX`] characters: node texts reach logs and tables.
fn bounded(text: &str) -> String {
    let line: String = text.chars().take(READ_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect();
    line.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(REVERT_REASON_CHARS_MAX).collect()
}

fn class_of(code: Option<i64>, message: &str) -> Class {
    static PHRASES: OnceLock<Vec<Phrase>> = OnceLock::new();
    let phrases = PHRASES.get_or_init(|| phrases(GROUPS));
    match classes_in(phrases, message).as_slice() {
        [] => code_class(code),
        [class] => *class,
        [_, _, ..] => Class::Unknown,
    }
}

fn code_class(code: Option<i64>) -> Class {
    let limits = code.is_some_and(|code| CODES.iter().any(|(listed, _, _)| *listed == code));
    if limits { Class::Busy } else { Class::Unknown }
}

/// A phrase as it is looked for: runs of words, with a gap between one run and the next.
#[derive(Debug)]
struct Phrase {
    runs: Vec<Vec<String>>,
    class: Class,
}

impl Phrase {
    fn new(text: &str, class: Class) -> Self {
        Self { runs: text.split('*').map(words).collect(), class }
    }

    /// Characters that are not in gaps; more of them is more specific.
    fn weight(&self) -> usize {
        self.runs.iter().flatten().map(String::len).sum()
    }

    /// End of the match that begins exactly at `start`, from the given run on.
    fn end_at(&self, text: &[Option<String>], start: usize, run: usize) -> Option<usize> {
        let Some(wanted) = self.runs.get(run) else { return Some(start) };
        let end = start + wanted.len();
        let here = text.get(start..end)?;
        if !here.iter().zip(wanted).all(|(word, wanted)| word.as_ref() == Some(wanted)) {
            return None;
        }
        if run + 1 == self.runs.len() {
            return Some(end);
        }
        (end..=end + GAP_WORDS_MAX).find_map(|next| self.end_at(text, next, run + 1))
    }

    fn find(&self, text: &[Option<String>]) -> Option<std::ops::Range<usize>> {
        (0..text.len()).find_map(|start| self.end_at(text, start, 0).map(|end| start..end))
    }
}

/// All phrases, the most specific first; equally specific ones in the order of their words, so that the order of the
/// table leaves no trace.
fn phrases<'a>(groups: impl IntoIterator<Item = &'a Group>) -> Vec<Phrase> {
    let mut all: Vec<Phrase> = groups
        .into_iter()
        .flat_map(|group| group.rows.iter().map(|row| Phrase::new(row.phrase, group.class)))
        .collect();
    all.sort_by(|a, b| b.weight().cmp(&a.weight()).then_with(|| a.runs.cmp(&b.runs)));
    all.dedup_by(|a, b| a.runs == b.runs && a.class == b.class);
    all
}

/// The different classes a text speaks of; each word speaks once.
fn classes_in(phrases: &[Phrase], message: &str) -> Vec<Class> {
    let read: String = message.chars().take(READ_CHARS_MAX).collect();
    let mut text: Vec<Option<String>> = words(&read).into_iter().map(Some).collect();
    let mut found = Vec::new();
    for phrase in phrases {
        while let Some(range) = phrase.find(&text) {
            text[range].fill(None);
            if !found.contains(&phrase.class) {
                found.push(phrase.class);
            }
        }
    }
    found
}

/// Lower-case words of letters, digits and underscores (which keep constants such as `FEE_TOO_LOW` apart from prose).
fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .replace(['\'', '’', '`'], "")
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}
