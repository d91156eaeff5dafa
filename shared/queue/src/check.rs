//! The rules of SQS that both sides enforce before anything is sent, and how a list is cut into batches.
//!
//! Source: AWS, "SendMessageBatch" (API reference) and "Amazon SQS message quotas".

#[cfg(any(test, feature = "aws"))]
use std::ops::Range;

use crate::port::{Message, QueueError, QueueName, limits};

/// Attributes of one message.
const ATTRIBUTES_MAX: usize = 10;
/// Characters of an attribute's name.
const ATTRIBUTE_NAME_CHARS_MAX: usize = 256;
/// The type of every attribute we send; its name counts towards the message's size.
pub(crate) const ATTRIBUTE_TYPE: &str = "String";

/// Refuses the whole list for the first message that SQS would refuse, and says which and why.
pub(crate) fn publish(queue: QueueName, messages: &[Message]) -> Result<(), QueueError> {
    for (position, message) in messages.iter().enumerate() {
        message_fault(queue, message).map_or(Ok(()), |(field, reason)| {
            Err(QueueError::Refused(format!("message {position} for {}: {field} {reason}", queue.0)))
        })?;
    }
    Ok(())
}

/// Refuses a peek at none or at more than one call can answer.
pub(crate) fn peek(most: u8) -> Result<(), QueueError> {
    if (1..=10).contains(&most) { Ok(()) } else { Err(QueueError::Refused(format!("most is {most}, must be 1 to 10"))) }
}

/// Cuts a checked list into runs that each fit one batch call, as few as order allows.
#[cfg(any(test, feature = "aws"))]
pub(crate) fn batches(messages: &[Message]) -> Vec<Range<usize>> {
    let mut cuts = Vec::new();
    let (mut start, mut bytes) = (0, 0);
    for (position, message) in messages.iter().enumerate() {
        let more = size(message);
        let full = position - start == limits::BATCH_MESSAGES_MAX;
        if full || bytes + more > limits::BATCH_BYTES_MAX {
            cuts.push(start..position);
            (start, bytes) = (position, 0);
        }
        bytes += more;
    }
    if start < messages.len() {
        cuts.push(start..messages.len());
    }
    cuts
}

/// Bytes that count towards the limit: the body, and each attribute's name, type and value.
fn size(message: &Message) -> usize {
    let attributes = message.attributes.iter();
    let beside: usize = attributes.map(|(name, value)| name.len() + ATTRIBUTE_TYPE.len() + value.len()).sum();
    message.body.len() + beside
}

/// The first field that breaks a rule, and how.
fn message_fault(queue: QueueName, message: &Message) -> Option<(&'static str, &'static str)> {
    text_fault(&message.body)
        .map(|reason| ("body", reason))
        .or_else(|| attributes_fault(&message.attributes).map(|reason| ("attributes", reason)))
        .or_else(|| (size(message) > limits::BATCH_BYTES_MAX).then_some(("body", "is larger than 1 MiB")))
        .or_else(|| id_fault(message.group.as_deref()).map(|reason| ("group", reason)))
        .or_else(|| id_fault(message.dedup.as_deref()).map(|reason| ("dedup", reason)))
        .or_else(|| kind_fault(queue, message))
}

/// What a FIFO queue demands and a standard one refuses, and the other way round.
fn kind_fault(queue: QueueName, message: &Message) -> Option<(&'static str, &'static str)> {
    if queue.is_fifo() {
        if message.group.is_none() {
            return Some(("group", "is missing on a FIFO queue"));
        }
        if message.dedup.is_none() {
            return Some(("dedup", "is missing on a FIFO queue"));
        }
        if message.delay_s > 0 {
            return Some(("delay_s", "is not possible on a FIFO queue"));
        }
    } else if message.dedup.is_some() {
        return Some(("dedup", "is not possible on a standard queue"));
    }
    (message.delay_s > limits::DELAY_S_MAX).then_some(("delay_s", "is more than 900"))
}

fn text_fault(text: &str) -> Option<&'static str> {
    // Control characters, U+FFFE and U+FFFF are outside of what the service stores.
    let storable =
        |c: char| matches!(c, '\t' | '\n' | '\r' | ' '..='\u{D7FF}' | '\u{E000}'..='\u{FFFD}' | '\u{10000}'..);
    if text.is_empty() {
        Some("is empty")
    } else if text.chars().all(storable) {
        None
    } else {
        Some("holds a character that SQS does not take")
    }
}

fn id_fault(id: Option<&str>) -> Option<&'static str> {
    let id = id?;
    if id.is_empty() || id.len() > limits::ID_CHARS_MAX {
        Some("is not 1 to 128 characters")
    } else if id.chars().all(|c| c.is_ascii_graphic()) {
        None
    } else {
        Some("holds more than letters, digits and punctuation")
    }
}

fn attributes_fault(attributes: &[(&'static str, String)]) -> Option<&'static str> {
    if attributes.len() > ATTRIBUTES_MAX {
        return Some("are more than 10");
    }
    for (position, (name, value)) in attributes.iter().enumerate() {
        if attributes[..position].iter().any(|(before, _)| before == name) {
            return Some("repeat a name");
        }
        if !attribute_name_is_valid(name) {
            return Some("have a name that SQS does not take");
        }
        if text_fault(value).is_some() {
            return Some("have a value that is empty or that SQS does not take");
        }
    }
    None
}

fn attribute_name_is_valid(name: &str) -> bool {
    let lower = name.to_ascii_lowercase();
    (1..=ATTRIBUTE_NAME_CHARS_MAX).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.'))
        && !name.starts_with('.')
        && !name.ends_with('.')
        && !name.contains("..")
        && !lower.starts_with("aws.")
        && !lower.starts_with("amazon.")
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: QueueName = QueueName("plain");
    const ORDERED: QueueName = QueueName("ordered.fifo");

    fn of_size(bytes: usize) -> Message {
        Message { body: "x".repeat(bytes), ..Message::default() }
    }

    #[test]
    fn batches_are_cut_by_count() {
        assert_eq!(batches(&[]), vec![]);
        assert_eq!(batches(&vec![of_size(1); 10]), vec![0..10]);
        assert_eq!(batches(&vec![of_size(1); 21]), vec![0..10, 10..20, 20..21]);
    }

    #[test]
    fn batches_are_cut_by_bytes_together() {
        let half = limits::BATCH_BYTES_MAX / 2;
        assert_eq!(batches(&[of_size(half), of_size(half)]), vec![0..2]);
        assert_eq!(
            batches(&[of_size(half), of_size(half + 1), of_size(1)]),
            vec![0..1, 1..3],
            "a message that does not fit opens the next batch"
        );
    }

    #[test]
    fn attributes_count_towards_the_size() {
        let mut message = of_size(limits::BATCH_BYTES_MAX - "reasonStringx".len());
        message.attributes = vec![("reason", "x".to_owned())];
        assert!(publish(PLAIN, std::slice::from_ref(&message)).is_ok());
        message.attributes = vec![("reason", "xx".to_owned())];
        assert!(publish(PLAIN, &[message]).is_err());
    }

    #[test]
    fn each_rule_is_named_with_its_field() {
        let good = Message { body: "{}".to_owned(), ..Message::default() };
        let ordered = Message { group: Some("lane".to_owned()), dedup: Some("1".to_owned()), ..good.clone() };
        assert!(publish(PLAIN, std::slice::from_ref(&good)).is_ok());
        assert!(publish(ORDERED, std::slice::from_ref(&ordered)).is_ok());
        let attributes = |list: &[(&'static str, &str)]| Message {
            attributes: list.iter().map(|(name, value)| (*name, (*value).to_owned())).collect(),
            ..good.clone()
        };
        let eleven = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k"].map(|n| (n, "v"));
        let cases = [
            (PLAIN, Message { body: String::new(), ..good.clone() }, "body is empty"),
            (PLAIN, Message { body: "\u{0}".to_owned(), ..good.clone() }, "body holds"),
            (PLAIN, Message { body: "\u{FFFE}".to_owned(), ..good.clone() }, "body holds"),
            (PLAIN, of_size(limits::BATCH_BYTES_MAX + 1), "body is larger"),
            (PLAIN, Message { group: Some("g".repeat(129)), ..good.clone() }, "group is not 1"),
            (PLAIN, Message { group: Some("a b".to_owned()), ..good.clone() }, "group holds"),
            (PLAIN, Message { delay_s: 901, ..good.clone() }, "delay_s is more"),
            (PLAIN, Message { dedup: Some("1".to_owned()), ..good.clone() }, "dedup is not"),
            (PLAIN, attributes(&eleven), "attributes are more"),
            (PLAIN, attributes(&[("a", "1"), ("a", "2")]), "attributes repeat"),
            (PLAIN, attributes(&[("AWS.x", "1")]), "attributes have a name"),
            (PLAIN, attributes(&[("a..b", "1")]), "attributes have a name"),
            (PLAIN, attributes(&[("a", "")]), "attributes have a value"),
            (ORDERED, Message { group: None, ..ordered.clone() }, "group is missing"),
            (ORDERED, Message { dedup: None, ..ordered.clone() }, "dedup is missing"),
            (ORDERED, Message { dedup: Some(String::new()), ..ordered.clone() }, "dedup is not 1"),
            (ORDERED, Message { delay_s: 1, ..ordered.clone() }, "delay_s is not possible"),
        ];
        for (queue, bad, expected) in cases {
            let before = if queue.is_fifo() { ordered.clone() } else { good.clone() };
            let error = publish(queue, &[before, bad]).expect_err(expected).to_string();
            assert!(error.contains(&format!("message 1 for {}: {expected}", queue.0)), "{error}");
        }
    }
}
