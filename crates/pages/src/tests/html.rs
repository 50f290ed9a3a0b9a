//! What the pages are as HTML: snapshots in English, and rules that hold for all of them.

use hallpass_core::locale::Locale;

use super::views;
use crate::templates::FILES;

/// The attributes of every element of a kind.
fn elements<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    html.split(&format!("<{name}"))
        .skip(1)
        .filter(|rest| rest.starts_with([' ', '>', '\n']))
        .map(|rest| &rest[..rest.find('>').unwrap()])
        .collect()
}

fn attribute<'a>(element: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = element.split_once(&format!(" {name}=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}

fn every_page() -> Vec<(String, String)> {
    let plain = views::plain(Locale::En).into_iter().map(|(name, html)| (name.to_owned(), html));
    plain.chain(views::states(Locale::En)).collect()
}

#[test]
fn pages_in_english() {
    for (name, html) in views::plain(Locale::En) {
        insta::assert_snapshot!(name, html);
    }
}

#[test]
fn every_post_carries_the_token_of_where_it_goes() {
    for (name, html) in every_page() {
        for form in html.split("<form ").skip(1) {
            let form = &form[..form.find("</form>").unwrap()];
            let open = format!(" {}", &form[..form.find('>').unwrap()]);
            if attribute(&open, "method") == Some("post") {
                let action = attribute(&open, "action").unwrap().replace("&#x2f;", ".");
                assert!(
                    form.contains(&format!("name=\"csrf\" value=\"token-of-{action}\"")),
                    "{name}: {form}"
                );
            } else {
                assert!(!form.contains("csrf"), "{name}");
            }
        }
    }
}

#[test]
fn nothing_is_inline_and_nothing_comes_from_elsewhere() {
    for (name, html) in every_page() {
        assert!(
            !html.contains(" style=") && !html.contains("<style") && !html.contains("javascript:"),
            "{name}"
        );
        assert!(!html.contains(" on") || !html.contains("=\"return"), "{name}");
        for element in
            ["a", "button", "body", "img", "form", "input"].iter().flat_map(|kind| elements(&html, kind))
        {
            assert!(!element.split_whitespace().any(|part| part.starts_with("on")), "{name}: {element}");
        }
        for script in elements(&html, "script") {
            assert!(attribute(script, "src").is_some_and(|src| src.starts_with("/assets/")), "{name}");
        }
        for image in elements(&html, "img") {
            assert!(!attribute(image, "src").unwrap().contains("http"), "{name}");
        }
    }
    for (name, source) in FILES {
        assert!(!source.contains("|safe") && !source.contains("autoescape"), "{name}");
    }
}

#[test]
fn pages_are_built_for_everybody() {
    for (name, html) in every_page() {
        assert_eq!(elements(&html, "h1").len(), 1, "{name}: one h1");
        for landmark in ["header", "main", "footer", "title"] {
            assert_eq!(elements(&html, landmark).len(), 1, "{name}: {landmark}");
        }
        let mut ids: Vec<_> =
            html.split(" id=\"").skip(1).map(|rest| rest.split_once('"').unwrap().0).collect();
        let count = ids.len();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), count, "{name}: an id twice");
        for input in elements(&html, "input") {
            let kind = attribute(input, "type").unwrap();
            if kind == "hidden" || attribute(input, "aria-hidden").is_some() {
                continue;
            }
            let id = attribute(input, "id").unwrap_or_else(|| panic!("{name}: {input}"));
            assert!(html.contains(&format!("<label for=\"{id}\"")), "{name}: {id} has no label");
            assert!(attribute(input, "autocomplete").is_some(), "{name}: {id}");
            for described in attribute(input, "aria-describedby").unwrap_or_default().split_whitespace() {
                assert!(ids.contains(&described), "{name}: {id} is described by nothing");
            }
        }
        for image in elements(&html, "img") {
            assert!(
                attribute(image, "alt").is_some() && attribute(image, "width").is_some(),
                "{name}: {image}"
            );
        }
        assert!(html.matches(" autofocus").count() <= 1, "{name}: one thing has the focus");
        // Headings go down one step at a time.
        let mut last = 0;
        for rest in html.split("<h").skip(1) {
            let Some(level) = rest.chars().next().and_then(|c| c.to_digit(10)) else { continue };
            assert!(level <= last + 1, "{name}: h{level} below h{last}");
            last = level;
        }
    }
}

#[test]
fn a_problem_is_said_focused_and_tied_to_its_field() {
    let find = |wanted: &str| {
        every_page().into_iter().find(|(name, _)| name == wanted).unwrap_or_else(|| panic!("{wanted}")).1
    };
    for (page, field) in [
        ("sign_in Some(Credentials)", "password"),
        ("sign_in Some(Email)", "email"),
        ("code SignIn Some(Code)", "code"),
        ("new_account Some(UsernameTaken)", "username"),
        ("new_password Some(Password)", "new_password"),
        ("account Some(CurrentPassword)", "current_password"),
    ] {
        let html = find(page);
        assert!(html.contains("role=\"alert\" tabindex=\"-1\" autofocus"), "{page}");
        assert!(html.contains(&format!("href=\"#{field}\"")), "{page}");
        let input = elements(&html, "input")
            .into_iter()
            .find(|input| attribute(input, "id") == Some(field))
            .unwrap_or_else(|| panic!("{page}"));
        assert_eq!(attribute(input, "aria-invalid"), Some("true"), "{page}");
        assert!(attribute(input, "aria-describedby").unwrap().split(' ').any(|id| id == "problem"), "{page}");
        assert_eq!(html.matches("aria-invalid").count(), 1, "{page}");
    }
}

#[test]
fn autocomplete_tells_password_managers_what_is_what() {
    let pages: std::collections::BTreeMap<_, _> = views::plain(Locale::En).into_iter().collect();
    for (page, expected) in [
        ("sign_in", ["username webauthn", "current-password"].as_slice()),
        ("code", &["one-time-code"]),
        ("new_account", &["username", "new-password", "name", "nickname"]),
        ("new_password", &["username", "new-password"]),
        ("account", &["current-password", "new-password", "username"]),
    ] {
        for one in expected {
            assert!(pages[page].contains(&format!(" autocomplete=\"{one}\"")), "{page}: {one}");
        }
    }
}

#[test]
fn markup_in_names_stays_text() {
    let attack = "\"'><script>alert(1)</script><img src=x onerror=y>{{ csrf('/x') }}{% raw %}";
    for (page, html) in views::hostile(attack) {
        assert!(!html.contains("<script>") && !html.contains("<img src=x"), "{page}");
        assert!(!html.contains("\"'>"), "{page}");
        assert_eq!(elements(&html, "title").len(), 1, "{page}");
    }
}

#[test]
fn names_of_any_direction_and_length_are_kept_apart() {
    let name = "\u{202e}\u{5d0}\u{5d1}".repeat(120);
    for (page, html) in views::hostile(&name) {
        let body = &html[html.find("<body").unwrap()..];
        let mut shown = 0;
        for (index, _) in body.match_indices(&name) {
            let before = &body[..index];
            // Inside an attribute, the text of a block of its own, or isolated.
            let in_attribute = before.rfind('<') > before.rfind('>');
            let alone =
                ["<bdi>", "<bdi>@", "<code>", "<pre tabindex=\"0\">"].iter().any(|tag| before.ends_with(tag));
            assert!(in_attribute || alone, "{page}: {}", &before[before.len().saturating_sub(60)..]);
            shown += 1;
        }
        assert!(shown > 0, "{page}");
    }
}
