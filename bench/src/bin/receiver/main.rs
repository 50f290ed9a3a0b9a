//! A webhook's receiver that costs next to nothing: a thread a connection, an answer a request.
//!
//! `POST /…` answers 204, and 503 until `POST /open` was called. `GET /count` says how many were
//! answered with a 204. Prints its ready line, as the other servers do.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::{io, thread};

static OPEN: AtomicBool = AtomicBool::new(false);
static TOLD: AtomicU64 = AtomicU64::new(0);

fn main() -> io::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    println!(r#"{{"event":"ready","url":"http://{}"}}"#, listener.local_addr()?);
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that goes away ends its own connection and nothing else.
        thread::spawn(move || drop(serve(&stream)));
    }
    Ok(())
}

fn serve(stream: &TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut requests = BufReader::with_capacity(64 << 10, stream);
    let (mut line, mut body) = (String::new(), Vec::new());
    loop {
        line.clear();
        if requests.read_line(&mut line)? == 0 {
            return Ok(());
        }
        let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
        let mut length = 0;
        loop {
            line.clear();
            if requests.read_line(&mut line)? <= 2 {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().map_err(io::Error::other)?;
            }
        }
        body.resize(length, 0);
        requests.read_exact(&mut body)?;
        answer(stream, &path)?;
    }
}

fn answer(mut stream: &TcpStream, path: &str) -> io::Result<()> {
    if path == "/count" {
        let count = format!(r#"{{"count":{}}}"#, TOLD.load(Ordering::Relaxed));
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{count}", count.len());
        return stream.write_all(head.as_bytes());
    }
    if path == "/open" {
        OPEN.store(true, Ordering::Relaxed);
        return stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
    }
    if !OPEN.load(Ordering::Relaxed) {
        return stream.write_all(b"HTTP/1.1 503 Closed\r\ncontent-length: 0\r\n\r\n");
    }
    TOLD.fetch_add(1, Ordering::Relaxed);
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n")
}
