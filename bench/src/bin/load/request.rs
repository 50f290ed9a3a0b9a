//! Requests, rendered ahead so that sending one is a copy and a `write`.

use std::io::Write as _;
use std::net::SocketAddr;

use anyhow::{Context as _, Result, ensure};

/// Digits of the counter that replaces `{n}`; fixed, so that the content length is too.
const COUNTER_DIGITS: usize = 12;
const COUNTER: &str = "{n}";
const LINE: &str = "{line}";
const FOLLOW: &str = "{follow}";

/// A request as text, with its placeholders still in it.
pub(crate) struct Template {
    head: String,
    body: String,
}

impl Template {
    pub(crate) fn new(
        method: &str,
        path: &str,
        host: SocketAddr,
        headers: &[String],
        body: Option<&str>,
    ) -> Self {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {host}\r\n");
        for header in headers {
            head.push_str(header);
            head.push_str("\r\n");
        }
        // What follows has a length of its own each time.
        if let Some(body) = body.filter(|body| !body.contains(FOLLOW)) {
            let length = body.len() + body.matches(COUNTER).count() * (COUNTER_DIGITS - COUNTER.len());
            head.push_str("content-length: ");
            head.push_str(&length.to_string());
            head.push_str("\r\n");
        }
        if body.is_none_or(|body| !body.contains(FOLLOW)) {
            head.push_str("\r\n");
        }
        Self { head, body: body.unwrap_or_default().to_owned() }
    }
}

/// Where the next request comes from.
pub(crate) enum Feed {
    /// The same request for ever, `{n}` counted up.
    Counter { bytes: Vec<u8>, slots: Vec<usize>, next: u64 },
    /// One request for each line, once.
    Lines { before: Vec<u8>, after: Vec<u8>, lines: std::vec::IntoIter<String> },
    /// Each connection goes on with what its last answer gave it.
    Follow { head: Vec<u8>, before: Vec<u8>, after: Vec<u8>, field: String, values: Vec<String> },
}

impl Feed {
    pub(crate) fn counter(template: &Template) -> Result<Self> {
        ensure!(!template.head.contains(LINE), "{{line}} needs --lines");
        let zeros = "0".repeat(COUNTER_DIGITS);
        let mut bytes = template.head.clone().into_bytes();
        let mut slots = Vec::new();
        let mut parts = template.body.split(COUNTER);
        bytes.extend_from_slice(parts.next().unwrap_or_default().as_bytes());
        for part in parts {
            slots.push(bytes.len());
            bytes.extend_from_slice(zeros.as_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        Ok(Self::Counter { bytes, slots, next: 0 })
    }

    pub(crate) fn lines(template: &Template, lines: Vec<String>) -> Result<Self> {
        ensure!(template.body.is_empty(), "--lines goes with requests that have no body");
        let mut parts = template.head.split(LINE);
        let (before, after) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        ensure!(parts.next().is_none() && !after.is_empty(), "the request must contain {{line}} once");
        Ok(Self::Lines { before: before.into(), after: after.into(), lines: lines.into_iter() })
    }

    /// A chain for each connection, which begins with its line.
    pub(crate) fn follow(
        template: Template,
        field: &str,
        mut lines: Vec<String>,
        connections: usize,
    ) -> Result<Self> {
        ensure!(!template.head.contains(LINE), "--follow puts its value into the body");
        ensure!(lines.len() >= connections, "{} lines for {connections} connections", lines.len());
        let (before, after) = template.body.split_once(FOLLOW).context("the body must contain {follow}")?;
        ensure!(!after.contains(FOLLOW), "the body must contain {{follow}} once");
        lines.truncate(connections);
        Ok(Self::Follow {
            before: before.into(),
            after: after.into(),
            head: template.head.into_bytes(),
            field: field.to_owned(),
            values: lines,
        })
    }

    /// Takes from an answer what the connection's next request needs.
    ///
    /// # Errors
    /// If it is not there.
    pub(crate) fn answered(&mut self, connection: usize, body: &[u8]) -> Result<()> {
        if let Self::Follow { field, values, .. } = self {
            values[connection] = text_field(field, body)?;
        }
        Ok(())
    }

    /// Renders a connection's next request into `out`; false when there is none.
    pub(crate) fn render(&mut self, connection: usize, out: &mut Vec<u8>) -> bool {
        out.clear();
        match self {
            Self::Counter { bytes, slots, next } => {
                out.extend_from_slice(bytes);
                for slot in slots.iter() {
                    let mut rest = *next;
                    for digit in out[*slot..*slot + COUNTER_DIGITS].iter_mut().rev() {
                        *digit = b'0' + u8::try_from(rest % 10).expect("a decimal digit fits");
                        rest /= 10;
                    }
                }
                *next += 1;
                true
            }
            Self::Lines { before, after, lines } => match lines.next() {
                Some(line) => {
                    out.extend_from_slice(before);
                    out.extend_from_slice(line.as_bytes());
                    out.extend_from_slice(after);
                    true
                }
                None => false,
            },
            Self::Follow { head, before, after, values, .. } => {
                let value = values[connection].as_bytes();
                let length = before.len() + value.len() + after.len();
                out.extend_from_slice(head);
                write!(out, "content-length: {length}\r\n\r\n").expect("a vector takes what is written");
                for part in [before, value, after] {
                    out.extend_from_slice(part);
                }
                true
            }
        }
    }
}

/// A string field of a JSON answer.
pub(crate) fn text_field(name: &str, body: &[u8]) -> Result<String> {
    let answer: serde_json::Value = serde_json::from_slice(body).context("an answer that is not JSON")?;
    let value = answer[name].as_str();
    Ok(value.with_context(|| format!("no string `{name}` in {answer}"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(headers: &[&str], body: Option<&str>) -> Template {
        let headers: Vec<String> = headers.iter().map(|header| (*header).to_owned()).collect();
        Template::new("POST", "/x", "127.0.0.1:80".parse().unwrap(), &headers, body)
    }

    #[test]
    fn the_counter_keeps_its_width_and_the_content_length_true() {
        let mut feed = Feed::counter(&template(&[], Some(r#"{"c":"{n}"}"#))).unwrap();
        let mut out = Vec::new();
        feed.render(0, &mut out);
        feed.render(0, &mut out);
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert_eq!(body, r#"{"c":"000000000001"}"#);
        assert!(head.contains(&format!("content-length: {}", body.len())));
    }

    #[test]
    fn each_line_is_used_once() {
        let feed = template(&["authorization: Bearer {line}"], None);
        let mut feed = Feed::lines(&feed, vec!["a".into(), "b".into()]).unwrap();
        let mut out = Vec::new();
        assert!(feed.render(0, &mut out));
        assert!(String::from_utf8(out.clone()).unwrap().contains("Bearer a\r\n"));
        assert!(feed.render(0, &mut out));
        assert!(!feed.render(0, &mut out));
    }

    #[test]
    fn each_connection_follows_its_own_chain() {
        let template = template(&[], Some("token={follow}&x=1"));
        let mut feed = Feed::follow(template, "next", vec!["a".into(), "bb".into(), "c".into()], 2).unwrap();
        let mut out = Vec::new();
        let mut body = |feed: &mut Feed, connection| {
            assert!(feed.render(connection, &mut out));
            let text = String::from_utf8(out.clone()).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert_eq!(head.matches("content-length").count(), 1);
            assert!(head.ends_with(&format!("content-length: {}", body.len())), "{head}");
            body.to_owned()
        };
        assert_eq!(body(&mut feed, 0), "token=a&x=1");
        assert_eq!(body(&mut feed, 1), "token=bb&x=1");
        feed.answered(1, br#"{"next":"later","other":1}"#).unwrap();
        assert_eq!(body(&mut feed, 0), "token=a&x=1", "the other chain stays");
        assert_eq!(body(&mut feed, 1), "token=later&x=1");
        for broken in [&b"{}"[..], br#"{"next":1}"#, b"no"] {
            assert!(feed.answered(0, broken).is_err());
        }
    }

    #[test]
    fn a_chain_needs_a_start_and_one_place() {
        let follow = |body, lines: usize| {
            Feed::follow(template(&[], Some(body)), "next", vec!["a".into(); lines], 2).is_ok()
        };
        assert!(follow("{follow}", 2));
        assert!(!follow("{follow}", 1));
        assert!(!follow("{follow}{follow}", 2));
        assert!(!follow("nothing", 2));
    }
}
