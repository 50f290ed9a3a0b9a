//! What commands answer on stdout: JSON for machines, lines and tables for people.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde_json::Value;

/// Writes a text and a line's end.
pub(crate) fn line(text: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes())?;
    if !text.ends_with('\n') {
        out.write_all(b"\n")?;
    }
    out.flush()
}

/// How people are shown an answer.
pub(crate) enum Shape {
    /// A line for each field that is set.
    Fields,
    /// A table with these columns.
    Table(&'static [&'static str]),
}

/// Writes an answer.
pub(crate) fn answer(json: bool, value: &Value, shape: &Shape) -> io::Result<()> {
    if json {
        return line(&value.to_string());
    }
    match shape {
        Shape::Fields => line(&fields(value, 0)),
        Shape::Table(columns) => line(&table(value, columns)),
    }
}

fn fields(value: &Value, indent: usize) -> String {
    let Value::Object(object) = value else { return text(value) };
    let width = object.keys().map(String::len).max().unwrap_or(0);
    let mut lines = String::new();
    // The id goes first; the rest is in the order of the answer.
    let (ids, rest): (Vec<_>, Vec<_>) = object.iter().partition(|(key, _)| *key == "id");
    for (key, value) in ids.into_iter().chain(rest) {
        match value {
            Value::Null => {}
            Value::Object(_) => {
                let _infallible = write!(lines, "{:indent$}{key}\n{}", "", fields(value, indent + 2));
            }
            value => {
                let _infallible = writeln!(lines, "{:indent$}{key:width$}  {}", "", text(value));
            }
        }
    }
    lines
}

fn table(value: &Value, columns: &[&str]) -> String {
    let rows: Vec<Vec<String>> = value
        .as_array()
        .into_iter()
        .flatten()
        .map(|row| columns.iter().map(|column| text(&row[column])).collect())
        .collect();
    if rows.is_empty() {
        return "none".to_owned();
    }
    let head: Vec<String> = columns.iter().map(|column| column.replace('_', " ")).collect();
    let widths: Vec<usize> = (0..columns.len())
        .map(|i| rows.iter().chain([&head]).map(|row| row[i].chars().count()).max().unwrap_or(0))
        .collect();
    let mut lines = String::new();
    for row in [&head].into_iter().chain(&rows) {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        lines.push_str(cells.join("  ").trim_end());
        lines.push('\n');
    }
    lines
}

fn text(value: &Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_get_lines_and_tables() {
        let value = json!({"name": "n", "id": "1", "none": null, "owner": {"id": "2"}});
        assert_eq!(fields(&value, 0), "id     1\nname   n\nowner\n  id  2\n");
        assert_eq!(
            table(&json!([{"id": "1", "created_at": null}]), &["id", "created_at"]),
            "id  created at\n1   -\n"
        );
        assert_eq!(table(&json!([]), &["id"]), "none");
    }
}
