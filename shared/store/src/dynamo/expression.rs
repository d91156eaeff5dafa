//! Conditions and updates as DynamoDB's expression language has them.
//!
//! Names and values are always placeholders: half of the good names are reserved words.
//! The same write always gives the same text, since a transaction's token stands for its exact bytes.

use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;

use super::codec::{self, Attributes};
use crate::check::{LAST_COMMIT, PK, SK, VERSION};
use crate::port::{CommitToken, Expect, Query, Range, Update};
use crate::row::Value;

/// The placeholders of one write's or query's expressions.
#[derive(Debug, Default)]
pub(super) struct Expression {
    names: HashMap<String, String>,
    values: Attributes,
}

impl Expression {
    /// The placeholders, each none if there are none: DynamoDB refuses empty maps.
    pub(super) fn into_parts(self) -> (Option<HashMap<String, String>>, Option<Attributes>) {
        let Self { names, values } = self;
        (Some(names).filter(|names| !names.is_empty()), Some(values).filter(|values| !values.is_empty()))
    }

    fn name(&mut self, field: &str) -> String {
        if let Some((known, _)) = self.names.iter().find(|(_, name)| *name == field) {
            return known.clone();
        }
        let placeholder = format!("#n{}", self.names.len());
        self.names.insert(placeholder.clone(), field.to_owned());
        placeholder
    }

    fn value(&mut self, value: &Value) -> String {
        self.attribute(codec::attribute(value))
    }

    fn attribute(&mut self, value: AttributeValue) -> String {
        let placeholder = format!(":v{}", self.values.len());
        self.values.insert(placeholder.clone(), value);
        placeholder
    }

    /// The condition of a write that leaves its token on the row: its expectations, and that the
    /// token is not there yet. So a repeat fails, and the row it returns tells why.
    pub(super) fn marking_condition(&mut self, expect: &[Expect], token: &CommitToken) -> String {
        let name = self.name(LAST_COMMIT);
        let value = self.value(&Value::from(token.as_str()));
        let fresh = format!("(attribute_not_exists({name}) OR {name} <> {value})");
        match self.condition(expect) {
            Some(condition) => format!("{condition} AND {fresh}"),
            None => fresh,
        }
    }

    /// The expectations as a condition; none if there are none.
    pub(super) fn condition(&mut self, expect: &[Expect]) -> Option<String> {
        let terms: Vec<String> = expect.iter().map(|one| self.term(one)).collect();
        (!terms.is_empty()).then(|| terms.join(" AND "))
    }

    fn term(&mut self, expect: &Expect) -> String {
        match expect {
            Expect::Absent => format!("attribute_not_exists({})", self.name(PK)),
            Expect::Exists => format!("attribute_exists({})", self.name(PK)),
            Expect::Equals(field, value) => format!("{} = {}", self.name(field), self.value(value)),
            Expect::AtLeast(field, least) => {
                format!("{} >= {}", self.name(field), self.value(&Value::Num(*least)))
            }
            Expect::Version(version) => {
                format!("{} = {}", self.name(VERSION), self.value(&Value::from(*version)))
            }
        }
    }

    /// An update's changes, with the next version and the commit's token.
    pub(super) fn update(&mut self, update: &Update, token: &CommitToken) -> String {
        let mut set: Vec<String> = update.set.iter().map(|(field, value)| self.assignment(field, value)).collect();
        set.push(self.assignment(LAST_COMMIT, &Value::from(token.as_str())));
        // An absent attribute counts as 0 here, the version of a new row too.
        let one = (VERSION, 1);
        let add: Vec<String> = update
            .add
            .iter()
            .chain([&one])
            .map(|(field, number)| format!("{} {}", self.name(field), self.value(&Value::Num(*number))))
            .collect();
        let mut text = format!("SET {} ADD {}", set.join(", "), add.join(", "));
        if !update.remove.is_empty() {
            let remove: Vec<String> = update.remove.iter().map(|field| self.name(field)).collect();
            text = format!("{text} REMOVE {}", remove.join(", "));
        }
        text
    }

    fn assignment(&mut self, field: &str, value: &Value) -> String {
        format!("{} = {}", self.name(field), self.value(value))
    }

    /// Which rows of its partition a query wants.
    pub(super) fn key_condition(&mut self, query: &Query) -> String {
        let (pk, sk) = query.index.map_or((PK, SK), |index| (index.pk, index.sk));
        let partition = format!("{} = {}", self.name(pk), self.value(&Value::from(query.pk.as_str())));
        let sort = match &query.range {
            Range::All => return partition,
            Range::Prefix(prefix) => {
                format!("begins_with({}, {})", self.name(sk), self.value(&Value::from(prefix.as_str())))
            }
            Range::UpTo(upper) => format!("{} <= {}", self.name(sk), self.value(upper)),
            Range::Between(lower, upper) => {
                format!("{} BETWEEN {} AND {}", self.name(sk), self.value(lower), self.value(upper))
            }
        };
        format!("{partition} AND {sort}")
    }
}
