//! Results on standard output: as a table for people, as JSON for programs.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};

use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::{args::Format, error::CliError};

/// One column of a table: its title and where its value lies in a row.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Column {
    title: &'static str,
    pointer: &'static str,
    number: bool,
}

/// A column of words; `pointer` is a JSON pointer such as `/error/message`.
pub(crate) const fn text(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, number: false }
}

/// A column of numbers, aligned to the right.
pub(crate) const fn number(title: &'static str, pointer: &'static str) -> Column {
    Column { title, pointer, number: true }
}

/// Where results go, and in which form.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    format: Format,
}

impl Output {
    /// Results in this form.
    pub(crate) const fn new(format: Format) -> Self {
        Self { format }
    }

    /// Rows: a table, or a JSON array of whole rows.
    pub(crate) fn rows(self, columns: &[Column], rows: &[Value]) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(&Value::Array(rows.to_vec())),
            Format::Table => print(&table(columns, rows)),
        }
    }

    /// One record: a line for each field, or a JSON object.
    pub(crate) fn record(self, record: &Value) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(record),
            Format::Table => print(&fields(record)),
        }
    }

    /// A report of several parts: the tables' text, or one JSON value.
    pub(crate) fn report(self, tables: &str, value: &Value) -> Result<(), CliError> {
        match self.format {
            Format::Json => self.json(value),
            Format::Table => print(tables),
        }
    }

    fn json(self, value: &Value) -> Result<(), CliError> {
        print(&format!("{value:#}"))
    }
}

/// Writes to standard output; unlike the print macros it does not panic when nobody reads.
pub(crate) fn print(text: &str) -> Result<(), CliError> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}")?;
    out.flush()?;
    Ok(())
}

/// The rows as a table without lines, which both eyes and `awk` can read.
pub(crate) fn table(columns: &[Column], rows: &[Value]) -> String {
    let mut table = plain();
    table.set_header(columns.iter().map(|column| column.title));
    for row in rows {
        table.add_row(columns.iter().map(|column| word(row.pointer(column.pointer))));
    }
    pad(&mut table);
    for (column, shape) in columns.iter().zip(table.column_iter_mut()) {
        if column.number {
            shape.set_cell_alignment(CellAlignment::Right);
        }
    }
    table.trim_fmt()
}

/// A record as lines of name and value, by name; lists of records in it become tables below them.
fn fields(record: &Value) -> String {
    // Sorted, since the order of a JSON object depends on how the library was built.
    let mut values = BTreeMap::new();
    flatten("", record, &mut values);
    let mut table = plain();
    let mut lists = String::new();
    for (name, value) in values {
        match value.as_array().filter(|rows| rows.iter().any(Value::is_object)) {
            Some(rows) => lists.push_str(&format!("\n\n{name}\n{}", list(rows))),
            None => {
                table.add_row([name, word(Some(value))]);
            }
        }
    }
    pad(&mut table);
    table.trim_fmt() + &lists
}

/// Every value of a record by its path, such as `error.code`.
fn flatten<'a>(path: &str, value: &'a Value, values: &mut BTreeMap<String, &'a Value>) {
    match value.as_object() {
        Some(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                flatten(&path, value, values);
            }
        }
        None => {
            values.insert(path.to_owned(), value);
        }
    }
}

/// A list within a record: a column for every name that a row has.
fn list(rows: &[Value]) -> String {
    let names: BTreeSet<&String> = rows.iter().filter_map(Value::as_object).flat_map(|row| row.keys()).collect();
    let mut table = plain();
    table.set_header(names.iter().map(|name| name.to_uppercase()));
    for row in rows {
        table.add_row(names.iter().map(|name| word(row.get(name.as_str()))));
    }
    pad(&mut table);
    table.trim_fmt()
}

fn plain() -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table
}

fn pad(table: &mut Table) {
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
}

/// A value as it stands in a cell.
fn word(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "-".to_owned(),
        // A line break in a field would tear the table apart.
        Some(Value::String(text)) => text.replace(['\n', '\r', '\t'], " "),
        Some(Value::Bool(yes)) => if *yes { "yes" } else { "no" }.to_owned(),
        Some(Value::Array(values)) if values.is_empty() => "-".to_owned(),
        Some(Value::Array(values)) => values.iter().map(|value| word(Some(value))).collect::<Vec<_>>().join(", "),
        Some(value @ (Value::Number(_) | Value::Object(_))) => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_table_keeps_its_columns_whatever_the_rows_lack() {
        let columns = [text("QUEUE", "/queue"), number("READY", "/ready"), text("WHY", "/error/message")];
        let rows = [
            json!({"queue": "transfers-high", "ready": 7, "error": {"message": "two\nlines"}}),
            json!({"queue": "x", "ready": 12_345}),
        ];
        let expected = "\
QUEUE           READY  WHY
transfers-high      7  two lines
x               12345  -";
        assert_eq!(table(&columns, &rows), expected);
    }

    #[test]
    fn a_record_is_a_line_for_each_field() {
        let record = json!({"account": "tenant:acme", "clean": true, "faults": [], "key": {"kind": "kms"}, "rows": [{"b": 1}, {"a": "x", "b": 2}]});
        let expected = "\
account   tenant:acme
clean     yes
faults    -
key.kind  kms

rows
A  B
-  1
x  2";
        assert_eq!(fields(&record), expected);
    }
}
