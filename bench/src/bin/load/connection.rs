//! One keep-alive connection with at most one request in flight.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::SocketAddr;
use std::time::Instant;

use anyhow::{Context as _, Result, bail};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};

use crate::response::{self, Response};

const READ_BYTES: usize = 64 * 1024;

pub(crate) struct Connection {
    stream: TcpStream,
    /// The request being sent; its first `sent` bytes are gone.
    pub(crate) out: Vec<u8>,
    sent: usize,
    input: Vec<u8>,
    /// Bytes of `input` that hold something.
    filled: usize,
    pub(crate) started: Instant,
    pub(crate) in_flight: bool,
}

impl Connection {
    pub(crate) fn open(addr: SocketAddr, token: Token, registry: &Registry) -> Result<Self> {
        // Connecting may block: it happens before anything is measured.
        let stream =
            std::net::TcpStream::connect(addr).with_context(|| format!("cannot connect to {addr}"))?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        let mut stream = TcpStream::from_std(stream);
        registry.register(&mut stream, token, Interest::READABLE | Interest::WRITABLE)?;
        Ok(Self {
            stream,
            out: Vec::new(),
            sent: 0,
            input: vec![0; READ_BYTES],
            filled: 0,
            started: Instant::now(),
            in_flight: false,
        })
    }

    /// Starts sending `out`.
    pub(crate) fn send(&mut self, now: Instant) -> Result<()> {
        self.started = now;
        self.sent = 0;
        self.in_flight = true;
        self.flush()
    }

    /// Goes on sending `out` when the socket took only a part of it.
    pub(crate) fn flush(&mut self) -> Result<()> {
        while self.sent < self.out.len() {
            match self.stream.write(&self.out[self.sent..]) {
                Ok(count) => self.sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot send"),
            }
        }
        Ok(())
    }

    /// Reads what is there; the response once it is whole, to be looked at with [`Self::bytes`] and
    /// then given back to [`Self::finish`].
    ///
    /// # Errors
    /// If the connection is lost or the answer is not HTTP.
    pub(crate) fn receive(&mut self) -> Result<Option<Response>> {
        loop {
            if self.filled == self.input.len() {
                self.input.resize(self.input.len() * 2, 0);
            }
            let room = self.input.len() - self.filled;
            match self.stream.read(&mut self.input[self.filled..]) {
                Ok(0) => bail!("the server closed the connection"),
                Ok(count) => {
                    self.filled += count;
                    // A short read has emptied the socket: epoll(7) tells when there is more.
                    if count < room {
                        break;
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("cannot receive"),
            }
        }
        if self.filled == 0 {
            return Ok(None);
        }
        if !self.in_flight {
            bail!("an answer that nobody asked for");
        }
        response::parse(&self.input[..self.filled])
    }

    pub(crate) fn bytes(&self, response: &Response) -> &[u8] {
        &self.input[response.body..response.end]
    }

    pub(crate) fn finish(&mut self, response: &Response) -> Result<()> {
        if self.filled != response.end {
            bail!("more came than one answer");
        }
        self.filled = 0;
        self.in_flight = false;
        Ok(())
    }
}
