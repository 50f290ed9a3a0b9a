//! The run: warm up, open the window, close it, let what is in flight come home.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hdrhistogram::Histogram;
use mio::{Events, Poll, Token};

use crate::connection::Connection;
use crate::cpu;
use crate::report::{Failures, Report};
use crate::request::{Feed, text_field};

/// Without a single answer for this long the run is given up.
const STALL: Duration = Duration::from_secs(15);
/// More failures than this and there is nothing left to measure.
const MAX_FAILURES: u64 = 1_000;
const TICK: Duration = Duration::from_millis(20);
const HIGHEST_US: u64 = 60_000_000;

pub(crate) struct Plan {
    pub(crate) addr: SocketAddr,
    pub(crate) connections: usize,
    pub(crate) expect: u16,
    pub(crate) window: Window,
    pub(crate) spin: bool,
    /// From one request to the next, whatever is answered meanwhile.
    pub(crate) pace: Option<Duration>,
    pub(crate) pid: Option<u32>,
}

/// Which requests are measured.
pub(crate) enum Window {
    Clock { warm_up: Duration, measure: Duration },
    Count(u64),
}

/// One end of the measured window.
struct Mark {
    at: Instant,
    requests: u64,
    server: Option<f64>,
    own: f64,
}

impl Mark {
    fn now(plan: &Plan, requests: u64) -> Result<Self> {
        let server = plan.pid.map(cpu::tree_seconds).transpose()?;
        Ok(Self { at: Instant::now(), requests, server, own: cpu::own_seconds()? })
    }
}

struct Run<'a> {
    plan: &'a Plan,
    poll: Poll,
    connections: Vec<Connection>,
    feed: Feed,
    save: Option<(String, BufWriter<File>)>,
    latencies: Histogram<u64>,
    failures: Failures,
    asked: u64,
    answered: u64,
    in_flight: usize,
    /// No more requests: the window is closed or the feed is dry.
    closing: bool,
    /// Connections without a request, and when the next one is due, where there is a pace.
    idle: Vec<usize>,
    due: Instant,
}

pub(crate) fn run(plan: &Plan, feed: Feed, save: Option<(String, File)>) -> Result<Report> {
    let poll = Poll::new()?;
    let connections = (0..plan.connections)
        .map(|index| Connection::open(plan.addr, Token(index), poll.registry()))
        .collect::<Result<Vec<_>>>()?;
    let mut run = Run {
        plan,
        poll,
        connections,
        feed,
        save: save.map(|(field, file)| (field, BufWriter::new(file))),
        latencies: Histogram::new_with_max(HIGHEST_US, 3)?,
        failures: Failures::default(),
        asked: 0,
        answered: 0,
        in_flight: 0,
        closing: false,
        idle: Vec::new(),
        due: Instant::now(),
    };
    let (first, last) = run.drive()?;
    if let Some((_, file)) = &mut run.save {
        file.flush().context("cannot save the answers")?;
    }
    run.report(&first, &last)
}

impl Run<'_> {
    fn drive(&mut self) -> Result<(Mark, Mark)> {
        let begun = Instant::now();
        let (opens, closes) = match self.plan.window {
            Window::Clock { warm_up, measure } => (begun + warm_up, Some(begun + warm_up + measure)),
            Window::Count(_) => (begun, None),
        };
        let mut first = Mark::now(self.plan, 0)?;
        let mut warming = opens > begun;
        let mut last: Option<Mark> = None;
        let mut progress = (begun, 0);

        self.due = begun;
        for index in 0..self.connections.len() {
            self.next(index, begun)?;
        }
        let nap = if self.plan.spin { Duration::ZERO } else { TICK };
        let mut events = Events::with_capacity(1024);
        while self.in_flight > 0 || (self.plan.pace.is_some() && !self.closing) {
            self.ask_who_is_due()?;
            if let Err(error) = self.poll.poll(&mut events, Some(nap))
                && error.kind() != std::io::ErrorKind::Interrupted
            {
                return Err(error).context("epoll failed");
            }
            for event in &events {
                let Token(index) = event.token();
                if event.is_writable() {
                    let flushed = self.connections[index].flush();
                    self.survive(index, flushed)?;
                }
                if event.is_readable() {
                    self.receive(index)?;
                }
            }

            let now = Instant::now();
            if warming && now >= opens {
                warming = false;
                self.latencies.reset();
                first = Mark::now(self.plan, self.answered)?;
            }
            if last.is_none() && (self.closing || closes.is_some_and(|closes| now >= closes)) {
                last = Some(Mark::now(self.plan, self.answered)?);
                self.closing = true;
            }
            if self.answered > progress.1 {
                progress = (now, self.answered);
            }
            ensure!(
                now - progress.0 < STALL,
                "no answer for {STALL:?}, {} requests in flight; {:?}",
                self.in_flight,
                self.failures.samples
            );
        }
        ensure!(!warming, "the requests ran out before the warm-up was over");
        let last = match (last, &self.plan.window) {
            // A counted run ends with its last answer.
            (_, Window::Count(_)) | (None, _) => Mark::now(self.plan, self.answered)?,
            (Some(last), Window::Clock { .. }) => last,
        };
        Ok((first, last))
    }

    /// Lets a connection go on: at once, or when its turn comes.
    fn next(&mut self, index: usize, now: Instant) -> Result<()> {
        if self.plan.pace.is_some() {
            self.idle.push(index);
            return Ok(());
        }
        self.ask(index, now)
    }

    /// Sends what is due. Nobody free: it waits, and its latency counts all the same.
    fn ask_who_is_due(&mut self) -> Result<()> {
        let Some(pace) = self.plan.pace else { return Ok(()) };
        while self.due <= Instant::now()
            && let Some(index) = self.idle.pop()
        {
            let due = self.due;
            self.due += pace;
            self.ask(index, due)?;
        }
        Ok(())
    }

    /// Sends the next request on a connection, if there is one to send.
    fn ask(&mut self, index: usize, now: Instant) -> Result<()> {
        if let Window::Count(count) = self.plan.window
            && self.asked >= count
        {
            self.closing = true;
        }
        if self.closing {
            return Ok(());
        }
        if !self.feed.render(index, &mut self.connections[index].out) {
            self.closing = true;
            return Ok(());
        }
        self.asked += 1;
        self.in_flight += 1;
        let sent = self.connections[index].send(now);
        self.survive(index, sent)
    }

    fn receive(&mut self, index: usize) -> Result<()> {
        let response = match self.connections[index].receive() {
            Ok(Some(response)) => response,
            Ok(None) => return Ok(()),
            Err(error) => return self.survive(index, Err(error)),
        };
        let now = Instant::now();
        let connection = &mut self.connections[index];
        let body = connection.bytes(&response);
        if response.status == self.plan.expect {
            if let Some((field, file)) = &mut self.save {
                save(field, file, body)?;
            }
            self.feed.answered(index, body)?;
            self.answered += 1;
            let took = u64::try_from((now - connection.started).as_micros())?;
            self.latencies.saturating_record(took);
        } else {
            let text = String::from_utf8_lossy(body);
            self.failures.note(&format!("{} {text}", response.status));
            ensure!(self.failures.count < MAX_FAILURES, "too many failures: {:?}", self.failures.samples);
        }
        let finished = connection.finish(&response);
        if finished.is_err() {
            return self.survive(index, finished);
        }
        self.in_flight -= 1;
        if response.close {
            self.reopen(index)?;
        }
        self.next(index, now)
    }

    /// A broken connection is a failure of its request; it is opened again and the run goes on.
    fn survive(&mut self, index: usize, result: Result<()>) -> Result<()> {
        let Err(error) = result else { return Ok(()) };
        self.failures.note(&format!("{error:#}"));
        ensure!(self.failures.count < MAX_FAILURES, "too many failures: {:?}", self.failures.samples);
        if self.connections[index].in_flight {
            self.in_flight -= 1;
        }
        self.reopen(index)?;
        self.next(index, Instant::now())
    }

    fn reopen(&mut self, index: usize) -> Result<()> {
        self.connections[index] = Connection::open(self.plan.addr, Token(index), self.poll.registry())?;
        Ok(())
    }

    fn report(self, first: &Mark, last: &Mark) -> Result<Report> {
        let requests = last.requests - first.requests;
        let seconds = (last.at - first.at).as_secs_f64();
        if requests == 0 {
            bail!("nothing was answered as expected: {:?}", self.failures.samples);
        }
        #[expect(clippy::cast_precision_loss, reason = "requests of a benchmark stay far below 2^52")]
        let count = requests as f64;
        let server = first.server.zip(last.server).map(|(first, last)| last - first);
        Ok(Report {
            requests,
            failures: self.failures.count,
            failure_samples: self.failures.samples,
            seconds,
            requests_per_sec: count / seconds,
            p50_us: self.latencies.value_at_quantile(0.5),
            p99_us: self.latencies.value_at_quantile(0.99),
            max_us: self.latencies.max(),
            cpu_us: server.map(|server| server * 1e6 / count),
            server_busy: server.map(|server| server / seconds),
            load_busy: (last.own - first.own) / seconds,
        })
    }
}

/// Writes a string field of a JSON answer as a line.
fn save(field: &str, file: &mut BufWriter<File>, body: &[u8]) -> Result<()> {
    let value = text_field(field, body)?;
    writeln!(file, "{value}").context("cannot save the answers")
}
