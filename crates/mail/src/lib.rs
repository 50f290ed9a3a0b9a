//! Letters by SMTP: the only crate that names lettre. Plain text, one recipient, one connection a letter:
//! letters are few, and a connection that was closed meanwhile would cost one.

use std::time::Duration;

use lettre::address::Envelope;
use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::{Address, AsyncSmtpTransport, AsyncTransport as _, Tokio1Executor};

/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Sends letters through one server.
#[derive(Clone)]
pub struct Mailer {
    transport: Box<AsyncSmtpTransport<Tokio1Executor>>,
    from: Mailbox,
}

/// Says nothing: the server's URL holds a password.
impl std::fmt::Debug for Mailer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Mailer(…)")
    }
}

/// What is wrong with a configuration. Says nothing of what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidMailer {
    /// The URL.
    #[error(
        "not a URL like smtps://user:password@mail.example.com or smtp://mail.example.com:587?tls=required"
    )]
    Url,
    /// The sender.
    #[error("not a sender like Hallpass <no-reply@example.com>")]
    From,
}

/// Why a letter was not sent. Holds what the server said, never what the letter did.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unsent {
    /// Another attempt may succeed: the server is away, or said so itself.
    #[error("{0}")]
    Later(String),
    /// No attempt will.
    #[error("{0}")]
    Never(String),
}

impl Mailer {
    /// A mailer of a URL: `smtps://` speaks TLS from the start, `smtp://…?tls=required` turns to it, plain
    /// `smtp://` is for a server on the same machine. User and password go in the URL, percent-encoded.
    ///
    /// # Errors
    /// [`InvalidMailer`], naming which of the two is wrong.
    pub fn new(url: &str, from: &str) -> Result<Self, InvalidMailer> {
        let from = from.parse().map_err(|_| InvalidMailer::From)?;
        let transport = AsyncSmtpTransport::<Tokio1Executor>::from_url(url)
            .map_err(|_| InvalidMailer::Url)?
            .timeout(Some(PATIENCE))
            .build();
        Ok(Self { transport: Box::new(transport), from })
    }

    /// Sends a letter.
    ///
    /// # Errors
    /// [`Unsent`], saying whether another attempt may succeed.
    pub async fn send(&self, to: &str, subject: &str, text: &str) -> Result<(), Unsent> {
        let never = |what: &str| Unsent::Never(what.to_owned());
        let to: Address = to.parse().map_err(|_| never("the recipient is no address"))?;
        let message = Message::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .subject(subject)
            .header(ContentType::TEXT_PLAIN)
            // Answering machines leave it alone (RFC 3834 §5).
            .raw_header(auto_submitted())
            .body(text.to_owned())
            .map_err(|_| never("the letter cannot be written"))?;
        let envelope = Envelope::new(Some(self.from.email.clone()), vec![to])
            .map_err(|_| never("the letter has no recipient"))?;
        match self.transport.send_raw(&envelope, &message.formatted()).await {
            Ok(_) => Ok(()),
            Err(error) if error.is_permanent() => Err(Unsent::Never(said(&error))),
            Err(error) => Err(Unsent::Later(said(&error))),
        }
    }
}

fn auto_submitted() -> lettre::message::header::HeaderValue {
    let name = lettre::message::header::HeaderName::new_from_ascii_str("Auto-Submitted");
    lettre::message::header::HeaderValue::new(name, "auto-generated".to_owned())
}

/// The kind of failure and the server's code. Its text is left out: it may repeat the address.
fn said(error: &lettre::transport::smtp::Error) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None if error.is_timeout() => "the mail server did not answer in time".to_owned(),
        None if error.is_tls() => "TLS with the mail server failed".to_owned(),
        None => "the mail server cannot be reached".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// A mail server that answers `RCPT` with a line; what it was sent, if it was.
    async fn serve(stream: TcpStream, to_recipient: &str) -> Vec<String> {
        let (read, mut write) = stream.into_split();
        let mut lines = BufReader::new(read).lines();
        let mut said = Vec::new();
        let mut in_data = false;
        write.write_all(b"220 mail.test\r\n").await.unwrap();
        while let Some(line) = lines.next_line().await.unwrap() {
            said.push(line.clone());
            let answer = match line.as_str() {
                "." => {
                    in_data = false;
                    "250 taken"
                }
                _ if in_data => continue,
                "DATA" => {
                    in_data = true;
                    "354 go on"
                }
                line if line.starts_with("RCPT") => to_recipient,
                "QUIT" => "221 bye",
                _ => "250 mail.test",
            };
            write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
        }
        said
    }

    async fn send(to_recipient: &'static str, to: &str) -> (Result<(), Unsent>, Vec<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        let serving = tokio::spawn(async move {
            let (stream, _) = listener.accept().await.unwrap();
            serve(stream, to_recipient).await
        });
        let mailer = Mailer::new(&url, "Hallpass <no-reply@chat.test>").unwrap();
        let sent = mailer.send(to, "Your code: 12345678", "Grüße\n.\nEnde").await;
        drop(mailer);
        (sent, serving.await.unwrap())
    }

    #[tokio::test]
    async fn a_letter_arrives() {
        let (sent, said) = send("250 yes", "ann@example.com").await;
        assert_eq!(sent, Ok(()));
        for line in [
            "MAIL FROM:<no-reply@chat.test>",
            "RCPT TO:<ann@example.com>",
            "From: Hallpass <no-reply@chat.test>",
            "To: ann@example.com",
            "Subject: Your code: 12345678",
            "Auto-Submitted: auto-generated",
        ] {
            assert!(said.iter().any(|one| one == line), "{line} in {said:#?}");
        }
    }

    #[tokio::test]
    async fn what_the_server_says_decides_whether_it_is_tried_again() {
        let (sent, _) = send("550 no such mailbox ann@example.com", "ann@example.com").await;
        assert_eq!(sent, Err(Unsent::Never("the mail server answered 550".to_owned())));
        let (sent, _) = send("451 later", "ann@example.com").await;
        assert_eq!(sent, Err(Unsent::Later("the mail server answered 451".to_owned())));
    }

    #[tokio::test]
    async fn a_server_that_is_away_is_tried_again() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("smtp://{}", listener.local_addr().unwrap());
        drop(listener);
        let mailer = Mailer::new(&url, "no-reply@chat.test").unwrap();
        let sent = mailer.send("ann@example.com", "s", "t").await;
        assert!(matches!(sent, Err(Unsent::Later(_))), "{sent:?}");
        let sent = mailer.send("ann", "s", "t").await;
        assert!(matches!(sent, Err(Unsent::Never(_))), "{sent:?}");
    }

    #[test]
    fn what_is_misconfigured_is_named() {
        let refused = |url, from| Mailer::new(url, from).err();
        assert_eq!(refused("http://mail.test", "a@b.test"), Some(InvalidMailer::Url));
        assert_eq!(refused("", "a@b.test"), Some(InvalidMailer::Url));
        assert_eq!(refused("smtps://u:p@mail.test", ""), Some(InvalidMailer::From));
        assert!(refused("smtps://u:p@mail.test", "Hallpass <a@b.test>").is_none());
        assert!(refused("smtp://mail.test:587?tls=required", "a@b.test").is_none());
    }
}
