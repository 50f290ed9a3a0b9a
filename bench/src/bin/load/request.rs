//! Requests, rendered ahead so that sending one is a copy and a `write`.

use std::net::SocketAddr;

use anyhow::{Result, ensure};

/// Digits of the counter that replaces `{n}`; fixed, so that the content length is too.
const COUNTER_DIGITS: usize = 12;
const COUNTER: &str = "{n}";
const LINE: &str = "{line}";

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
        if let Some(body) = body {
            let length = body.len() + body.matches(COUNTER).count() * (COUNTER_DIGITS - COUNTER.len());
            head.push_str("content-length: ");
            head.push_str(&length.to_string());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        Self { head, body: body.unwrap_or_default().to_owned() }
    }
}

/// Where the next request comes from.
pub(crate) enum Feed {
    /// The same request for ever, `{n}` counted up.
    Counter { bytes: Vec<u8>, slots: Vec<usize>, next: u64 },
    /// One request for each line, once.
    Lines { before: Vec<u8>, after: Vec<u8>, lines: std::vec::IntoIter<String> },
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

    /// Renders the next request into `out`; false when there is none.
    pub(crate) fn render(&mut self, out: &mut Vec<u8>) -> bool {
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
        }
    }
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
        feed.render(&mut out);
        feed.render(&mut out);
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
        assert!(feed.render(&mut out));
        assert!(String::from_utf8(out.clone()).unwrap().contains("Bearer a\r\n"));
        assert!(feed.render(&mut out));
        assert!(!feed.render(&mut out));
    }
}
