//! HTML from files with `{{holes}}`: text is escaped, and only what this crate rendered goes in as it is.

use std::fmt::{self, Write as _};

/// What fills a hole.
#[derive(Clone, Copy)]
pub(super) enum Fill<'a> {
    /// Anybody's text.
    Text(&'a str),
    /// HTML that was rendered here.
    Html(&'a str),
}

/// Text as HTML shows it, also inside quoted attributes.
pub(super) struct Escaped<'a>(pub(super) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for c in self.0.chars() {
            match c {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&#39;")?,
                c => f.write_char(c)?,
            }
        }
        Ok(())
    }
}

/// Fills the holes of a template, in one walk: what is filled in is not looked at again. A hole that
/// nobody fills stays empty.
pub(super) fn fill(template: &str, holes: &[(&str, Fill<'_>)]) -> String {
    let mut out = String::with_capacity(template.len() * 2);
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        out.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            rest = after;
            break;
        };
        let found = holes.iter().find(|(hole, _)| *hole == name).map(|(_, fill)| *fill);
        debug_assert!(found.is_some(), "nobody fills {name}");
        match found {
            Some(Fill::Text(text)) => put(&mut out, format_args!("{}", Escaped(text))),
            Some(Fill::Html(html)) => out.push_str(html),
            None => {}
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Appends.
pub(super) fn put(out: &mut String, text: fmt::Arguments<'_>) {
    let _infallible = out.write_fmt(text);
}

/// A whole page.
pub(super) fn page(title: &str, class: &str, body: &str) -> String {
    let version = env!("CARGO_PKG_VERSION");
    fill(
        include_str!("layout.html"),
        &[
            ("title", Fill::Text(title)),
            ("class", Fill::Text(class)),
            ("version", Fill::Text(version)),
            ("body", Fill::Html(body)),
        ],
    )
}

/// One line of prose with `` `code` `` in it.
pub(super) fn prose(text: &str) -> String {
    let mut out = String::new();
    for (index, part) in text.split('`').enumerate() {
        if index % 2 == 1 {
            put(&mut out, format_args!("<code>{}</code>", Escaped(part)));
        } else {
            put(&mut out, format_args!("{}", Escaped(part)));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_escaped_and_not_filled_again() {
        let holes = [("a", Fill::Text("<b title='\"'>&{{b}}")), ("b", Fill::Html("<i>"))];
        assert_eq!(
            fill("x {{a}} y {{b}} z {{", &holes),
            "x &lt;b title=&#39;&quot;&#39;&gt;&amp;{{b}} y <i> z "
        );
    }

    #[test]
    fn prose_marks_code() {
        assert_eq!(prose("send `a < b` now"), "send <code>a &lt; b</code> now");
    }
}
