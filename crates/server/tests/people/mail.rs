use hallpass_app::mail::{Mailer, Post};
use hallpass_app::people::CodePurpose;
use hallpass_testkit::{Setup, TestServer};
use jiff::SignedDuration;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::browser::Browser;

/// A mail server that takes everything, after refusing `away` letters for now.
async fn mail_server(mut away: u32) -> (String, mpsc::UnboundedReceiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("smtp://{}", listener.local_addr().unwrap());
    let (taken, letters) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (read, mut write) = stream.into_split();
            let mut lines = BufReader::new(read).lines();
            let mut letter: Option<String> = None;
            write.write_all(b"220 mail.test\r\n").await.unwrap();
            while let Ok(Some(line)) = lines.next_line().await {
                let answer = match (&mut letter, line.as_str()) {
                    (Some(_), ".") => {
                        let _gone = taken.send(letter.take().unwrap());
                        "250 taken"
                    }
                    (Some(text), line) => {
                        text.push_str(line);
                        text.push('\n');
                        continue;
                    }
                    (None, "DATA") => {
                        letter = Some(String::new());
                        "354 go on"
                    }
                    (None, line) if line.starts_with("RCPT") && away > 0 => {
                        away -= 1;
                        "451 later"
                    }
                    (None, "QUIT") => "221 bye",
                    _ => "250 mail.test",
                };
                write.write_all(format!("{answer}\r\n").as_bytes()).await.unwrap();
            }
        }
    });
    (url, letters)
}

async fn with_mail(url: &str) -> TestServer {
    let mail = Post::Smtp(Mailer::new(url, "Hallpass <no-reply@chat.test>").unwrap());
    let server = TestServer::with(Setup { mail, ..Setup::default() }).await;
    // Tests say when.
    server.stop_background();
    server
}

#[tokio::test]
async fn a_letter_reaches_a_mail_server_in_the_end() {
    let (url, mut letters) = mail_server(1).await;
    let server = with_mail(&url).await;
    let ann = Browser::new(&server);
    ann.ask("ann@example.com", CodePurpose::SignIn).await;
    let secret = server.code_for("ann@example.com").await;
    assert_eq!(server.app.send_mails().await.unwrap(), 0, "put off");
    assert_eq!(server.app.send_mails().await.unwrap(), 0, "not yet");
    server.clock.advance(SignedDuration::from_mins(1));
    assert_eq!(server.app.send_mails().await.unwrap(), 1);
    let letter = letters.recv().await.unwrap();
    assert!(letter.contains("To: ann@example.com") && letter.contains(&secret), "{letter}");
    assert!(letter.contains("From: Hallpass <no-reply@chat.test>"), "{letter}");
    assert_eq!(server.letters().await.len(), 0, "what is sent is not kept");
}

#[tokio::test]
async fn void_letters_go_nowhere() {
    let (url, _letters) = mail_server(0).await;
    let server = with_mail(&url).await;
    Browser::new(&server).ask("zoe@example.com", CodePurpose::Reset).await;
    assert_eq!(server.app.send_mails().await.unwrap(), 0);
    assert_eq!(server.letters().await.len(), 0);
}

#[tokio::test]
async fn two_nodes_send_a_letter_once() {
    let (url, mut letters) = mail_server(0).await;
    let server = with_mail(&url).await;
    let mail = Post::Smtp(Mailer::new(&url, "Hallpass <no-reply@chat.test>").unwrap());
    let other = server.node_with(Setup { mail, ..Setup::default() }).await;
    other.stop_background();
    Browser::new(&server).ask("ann@example.com", CodePurpose::SignIn).await;
    let (one, two) = tokio::join!(server.app.send_mails(), other.app.send_mails());
    assert_eq!(one.unwrap() + two.unwrap(), 1);
    assert!(letters.recv().await.is_some() && letters.try_recv().is_err());
}
