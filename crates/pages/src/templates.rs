//! The templates, and what they may call.
//!
//! `t(key, hole=…)` is a text of the catalogue as HTML, `plain(key, hole=…)` the same for attributes and
//! titles, `csrf(action)` the token of a form, `day(time)` and `moment(time)` a time to read.

use std::sync::LazyLock;

use hallpass_core::locale::Locale;
use minijinja::syntax::SyntaxConfig;
use minijinja::value::{Kwargs, Serde, Value, ValueKind};
use minijinja::{AutoEscape, Environment, Error, ErrorKind, HtmlEscape, State, UndefinedBehavior, context};
use serde::Serialize;

use crate::shell::Shell;
use crate::words::{Part, Words, parts};
use crate::{scopes, when};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        pub(crate) const FILES: &[(&str, &str)] = &[$(($name, include_str!(concat!("../templates/", $name)))),*];
    };
}

files![
    "account.html",
    "code.html",
    "consent.html",
    "error.html",
    "forms.html",
    "layout.html",
    "new_account.html",
    "new_password.html",
    "outbox.html",
    "reset.html",
    "sign_in.html",
    "sign_out.html",
    "sign_up.html",
    "signed_out.html",
];

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::Html);
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).build();
    environment.set_syntax(syntax.expect("the usual delimiters"));
    for (name, source) in FILES {
        environment.add_template(name, source).expect("the templates are read in tests");
    }
    environment.add_function("t", |state: &State, key: &str, fills: Kwargs| html_text(state, key, &fills));
    environment
        .add_function("plain", |state: &State, key: &str, fills: Kwargs| plain_text(state, key, &fills));
    environment.add_function("day", |state: &State, at: i64| when::day(locale(state)?, at));
    environment.add_function("moment", |state: &State, at: i64| when::moment(locale(state)?, at));
    environment.add_function("scope", scope_text);
    environment.add_function("initial", initial);
    environment.add_filter("url", |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    });
    environment
});

/// Renders a page. Views and templates are compiled together and every branch is rendered in tests, so
/// nothing that people type makes this fail.
pub(crate) fn render<V: Serialize>(name: &str, view: &V, shell: &Shell) -> String {
    let csrf = shell.csrf.clone();
    let around = context! {
        locale => shell.locale.tag(),
        locales => Value::from(Serde(Locale::ALL.map(|locale| [locale.tag(), locale.own_name()]))),
        site => Value::from(Serde(&shell.site)),
        passkeys => shell.passkeys,
        here => Value::from(Serde(&shell.here)),
        csrf => Value::from_function(move |action: &str| csrf.token(action)),
        v => Value::from(Serde(view)),
    };
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(around))
        .unwrap_or_else(|error| panic!("{name} does not render: {error:#}"))
}

/// The language of the page that is being rendered.
fn locale(state: &State) -> Result<Locale, Error> {
    state
        .lookup("locale")
        .and_then(|tag| tag.as_str().and_then(Locale::parse))
        .ok_or_else(|| Error::new(ErrorKind::UndefinedError, "no locale"))
}

fn text_of(state: &State, key: &str) -> Result<&'static str, Error> {
    Words::of(locale(state)?)
        .find(key)
        .ok_or_else(|| Error::new(ErrorKind::UndefinedError, format!("no text called {key}")))
}

/// A text as HTML: what fills its holes is escaped and isolated, unless it is HTML of our own.
fn html_text(state: &State, key: &str, fills: &Kwargs) -> Result<Value, Error> {
    let mut out = String::new();
    for part in parts(text_of(state, key)?) {
        match part {
            Part::Text(text) => put(&mut out, HtmlEscape(text)),
            Part::Hole(name) => {
                let fill: Value = fills.get(name)?;
                if fill.is_safe() {
                    put(&mut out, &fill);
                } else {
                    put(&mut out, format_args!("<bdi>{}</bdi>", HtmlEscape(&text_value(&fill)?)));
                }
            }
        }
    }
    fills.assert_all_used()?;
    Ok(Value::from_safe_string(out))
}

/// A text for attributes and titles, where there are no elements: escaped by the template.
fn plain_text(state: &State, key: &str, fills: &Kwargs) -> Result<String, Error> {
    text_of(state, key)?;
    let fills: Vec<(String, String)> = fills
        .args()
        .map(|name| Ok((name.to_owned(), text_value(&fills.get::<Value>(name)?)?)))
        .collect::<Result<_, Error>>()?;
    let fills: Vec<(&str, &str)> = fills.iter().map(|(name, fill)| (name.as_str(), fill.as_str())).collect();
    Ok(Words::of(locale(state)?).plain(key, &fills))
}

/// What a scope lets its holder do, by its name.
fn scope_text(state: &State, name: &str) -> Result<String, Error> {
    let scope = hallpass_core::Scope::parse(name)
        .map_err(|error| Error::new(ErrorKind::InvalidOperation, error.to_string()))?;
    Ok(scopes::scope_words(scope, locale(state)?))
}

/// The letter that stands for a name without a picture.
fn initial(name: &str) -> String {
    name.chars().find(|c| c.is_alphanumeric()).map_or_else(|| "·".to_owned(), |c| c.to_uppercase().collect())
}

fn text_value(value: &Value) -> Result<String, Error> {
    match value.kind() {
        ValueKind::String | ValueKind::Number => Ok(value.to_string()),
        kind => Err(Error::new(ErrorKind::InvalidOperation, format!("a text is not filled with {kind}"))),
    }
}

fn put(out: &mut String, what: impl std::fmt::Display) {
    use std::fmt::Write as _;
    let _infallible = write!(out, "{what}");
}
