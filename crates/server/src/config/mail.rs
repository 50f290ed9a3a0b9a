//! `[mail]`: how letters with one-time codes reach people.

use std::path::PathBuf;

use anyhow::{Context as _, bail};
use hallpass_app::mail::{Mailer, Post};
use serde::{Deserialize, Serialize};

use super::Section;
use super::secret::{Secret, masked_url};

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct MailConfig {
    #[serde(serialize_with = "masked_url")]
    pub(crate) smtp_url: Secret,
    pub(crate) smtp_url_file: PathBuf,
    pub(crate) from: String,
    pub(crate) to_log: bool,
}

impl Default for MailConfig {
    fn default() -> Self {
        Self { smtp_url: Secret::default(), smtp_url_file: PathBuf::new(), from: String::new(), to_log: true }
    }
}

impl Section for MailConfig {
    const NAME: &'static str = "mail";
    const ABOUT: &'static str = "Letters to people: one-time codes, and what changed in their account.";
    const KEYS: &'static [(&'static str, &'static str)] = &[
        (
            "smtp_url",
            "smtps://user:password@mail.example.com, or smtp://mail.example.com:587?tls=required; user and\n\
             password percent-encoded. Empty: letters are not sent. `hallpass dev` never sends any.",
        ),
        ("smtp_url_file", "A file that holds the URL, to keep its password out of here."),
        ("from", "Who they are from: Hallpass <no-reply@example.com>."),
        (
            "to_log",
            "Without smtp_url: write letters to the log, with the codes in them. Whoever reads the log can\n\
             then sign in as anybody. False: the log says only that a letter was not sent.",
        ),
    ];

    fn validate(&self) -> anyhow::Result<()> {
        if !self.smtp_url.is_empty() && self.from.is_empty() {
            bail!("mail.from: needed with mail.smtp_url, like Hallpass <no-reply@example.com>");
        }
        self.mailer().map(drop)
    }
}

impl MailConfig {
    fn mailer(&self) -> anyhow::Result<Option<Mailer>> {
        let Some(url) = self.smtp_url.or_file("mail.smtp_url", &self.smtp_url_file)? else {
            return Ok(None);
        };
        // Neither error repeats what was given.
        Mailer::new(url.expose(), &self.from).map(Some).context("mail.smtp_url or mail.from")
    }

    /// Where letters go; with `dev` into the outbox.
    pub(crate) fn post(&self, dev: bool) -> anyhow::Result<Post> {
        Ok(match (dev, self.mailer()?) {
            (true, _) => Post::Outbox,
            (false, Some(mailer)) => Post::Smtp(mailer),
            (false, None) if self.to_log => Post::Log,
            (false, None) => Post::Nowhere,
        })
    }
}
