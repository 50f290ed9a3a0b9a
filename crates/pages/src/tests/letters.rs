//! Letters in all languages.

use hallpass_core::{locale::Locale, mail::Letter};

use crate::letters::write;

const URL: &str = "https://chat.example.com";

fn all(text: &str) -> [Letter; 8] {
    let text = || text.to_owned();
    [
        Letter::SignInCode { code: text() },
        Letter::ResetCode { code: text() },
        Letter::AddressCode { code: text() },
        Letter::PasswordChanged,
        Letter::PasskeyAdded { name: text() },
        Letter::PasskeyRemoved { name: text() },
        Letter::AddressAdded { email: text() },
        Letter::AddressRemoved { email: text() },
    ]
}

#[test]
fn letters_in_english() {
    for (index, letter) in all("12345678").iter().enumerate() {
        let written = write(letter, Locale::En, URL, "chat.example.com");
        insta::assert_snapshot!(
            format!("letter_{index}"),
            format!("Subject: {}\n\n{}", written.subject, written.text)
        );
    }
}

#[test]
fn letters_say_all_that_they_must_in_every_language() {
    for locale in Locale::ALL {
        for letter in all("12345678") {
            let written = write(&letter, locale, URL, "Chat");
            let told = !matches!(letter, Letter::PasswordChanged);
            assert_eq!(written.text.contains("12345678"), told, "{locale} {letter:?}");
            assert!(
                !written.subject.contains("12345678"),
                "{locale} {letter:?}: subjects are shown on locked screens"
            );
            assert_eq!(written.text.matches("://").count(), 1, "{locale} {letter:?}");
            assert!(written.text.ends_with(&format!("\n{URL}\n")), "{locale} {letter:?}");
            assert!(written.subject.chars().count() < 78, "{locale} {letter:?}");
        }
    }
}

#[test]
fn nothing_that_is_filled_in_begins_a_header_or_a_line() {
    let attack = "x\r\nBcc: everybody@example.com\n\n\u{2028}\u{202e}hello\0";
    for locale in Locale::ALL {
        for letter in all(attack) {
            let calm = write(&all("x")[0], locale, URL, "x");
            let written = write(&letter, locale, URL, attack);
            assert!(
                !written.subject.chars().any(|c| c.is_control() || c == '\u{2028}'),
                "{locale} {letter:?}"
            );
            assert!(!written.text.contains(['\r', '\0', '\u{2028}', '\u{202e}']), "{locale} {letter:?}");
            assert!(!written.text.contains("\nBcc"), "{locale} {letter:?}");
            assert!(written.text.lines().count() <= calm.text.lines().count(), "{locale} {letter:?}");
        }
    }
}

#[test]
fn a_written_letter_does_not_print_itself() {
    let written = write(&Letter::SignInCode { code: "12345678".into() }, Locale::En, URL, "Chat");
    assert_eq!(format!("{written:?}"), "Written(…)");
}
