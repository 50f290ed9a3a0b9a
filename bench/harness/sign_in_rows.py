"""The measurements of signing in: one function for each row. Each returns the lines it adds."""

import contextlib
import json
import os
import resource
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Callable
from urllib.parse import urlencode

from . import hallpass, signin
from .load import Contender, Request, Sample, interleave
from .process import SERVER_CORE, BenchError, Server, environment, pinned
from .rows import Bench, lines_of
from .signin import FORM, Browser, Provider
from .table import Check, Line, at_least, at_most, cpu_less, cpu_micros_at_most

CHAINS = 64
# Fewer than the passwords that one device may have under way (crates/app/src/people/throttle.rs).
SIGN_INS_AT_ONCE = 8
HASH_THREAD = "hallpass-hash"
MINTS_PER_SEC = 4_000
MINT_CONNECTIONS = 16


def _providers(stack: contextlib.ExitStack, bench: Bench, client: str = "app") -> tuple[Provider | None, Provider]:
    ours = None
    if bench.hallpass:
        ours = Provider.hallpass(stack.enter_context(bench.hallpass.dev(bench.folder("sign-in"))))
    return ours, Provider.oidc_provider(stack.enter_context(bench.peer("oidc-provider")), client)


def refresh(bench: Bench) -> list[Line]:
    """Rotating refresh tokens: ours on the disk before they are answered, its in memory."""
    lines = []
    with contextlib.ExitStack() as stack:
        us, it = _providers(stack, bench)
        folder = bench.folder("chains")

        def contender(name: str, provider: Provider, scope: str, spin: bool) -> Contender:
            browser = Browser(provider.running)

            def measure(_turn: int, seconds: float, warm_up: float) -> Sample:
                # New grants each time: its memory adapter walks a grant's tokens, and they would grow in number.
                chains = signin.chains(browser, provider, scope, CHAINS, folder / "chains")
                return bench.load.run(provider.running, provider.refresh(), CHAINS, seconds, warm_up, spin,
                                      lines=chains, follow="refresh_token")
            return Contender(name, measure)

        for what, scope in (("with an id token", signin.SCOPE), ("no id token", signin.SCOPE_WITHOUT_ID_TOKEN)):
            ours = contender("Hallpass", us, scope, spin=False) if us else None
            theirs = contender("oidc-provider, in memory", it, scope, spin=True)
            interleave([c for c in (ours, theirs) if c], bench.timing)
            lines += lines_of(f"refresh, SQLite FULL, {what}, {CHAINS} connections", ours,
                              [(theirs, lambda us, it: cpu_less(us, it, 3))],
                              own_check=lambda us: cpu_micros_at_most(us, 120, aim=70))
    return lines


def client_credentials(bench: Bench) -> list[Line]:
    """A client's own token, for its secret."""
    with contextlib.ExitStack() as stack:
        us, it = _providers(stack, bench)
        theirs = bench.contender("oidc-provider, in memory", it.running, Request(
            "/token", "POST", (f"authorization: {it.running.ready['authorization']}", FORM),
            urlencode({"grant_type": "client_credentials", "scope": signin.CHAT})), 32)
        ours = bench.contender("Hallpass", us.running, us.client_credentials(signin.CHAT), 32) if us else None
        interleave([c for c in (ours, theirs) if c], bench.timing)
    return lines_of("client_credentials, 32 connections", ours, [(theirs, lambda us, it: cpu_less(us, it, 5))])


def introspect(bench: Bench) -> list[Line]:
    """What an access token of a person is good for. Ours is a JWT; it introspects only opaque ones."""
    with contextlib.ExitStack() as stack:
        us, it = _providers(stack, bench, "opaque")

        def contender(name: str, provider: Provider) -> Contender:
            token = signin.tokens(Browser(provider.running), provider, signin.SCOPE)["access_token"]
            request = provider.introspect(token)
            if not hallpass.call(provider.running, request)["active"]:
                raise BenchError(f"{name} says that its token is not active")
            return bench.contender(name, provider.running, request, 32)

        ours = contender("Hallpass", us) if us else None
        theirs = contender("oidc-provider, opaque token, in memory", it)
        interleave([c for c in (ours, theirs) if c], bench.timing)
    return lines_of("introspect, 32 connections", ours, [(theirs, lambda us, it: cpu_less(us, it, 10))])


def authorize(bench: Bench) -> list[Line]:
    """Signed in, consent remembered: straight back with a code, which we have on the disk by then."""
    with contextlib.ExitStack() as stack:
        us, it = _providers(stack, bench)

        def contender(name: str, provider: Provider, spin: bool) -> Contender:
            browser = Browser(provider.running)
            _, challenge = signin.pkce()
            signin.code(browser, provider, signin.SCOPE, challenge)
            path = signin.authorize_path(provider, signin.SCOPE, challenge)
            status, location, _ = browser.go(path)
            if not (location or "").startswith(provider.redirect_uri) or "code=" not in location:
                raise BenchError(f"{name} did not go straight back: {status} {(location or '').split('?')[0]}")
            request = Request(path, headers=(browser.cookie_header(),), expect=status)
            return bench.contender(name, provider.running, request, 32, spin)

        ours = contender("Hallpass", us, spin=False) if us else None
        theirs = contender("oidc-provider, in memory", it, spin=True)
        interleave([c for c in (ours, theirs) if c], bench.timing)
    return lines_of("authorize, SQLite FULL, 32 connections", ours, [(theirs, lambda us, it: cpu_less(us, it, 5))])


def passwords(bench: Bench) -> list[Line]:
    """How fast passwords are hashed, and what that costs those who need a token meanwhile."""
    if not bench.hallpass:
        return []
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(bench.hallpass.dev(bench.folder("passwords")))
        sign_in = _sign_in(running)

        def signing_in(_turn: int, seconds: float, warm_up: float) -> Sample:
            return bench.load.run(running, sign_in, SIGN_INS_AT_ONCE, seconds, warm_up, spin=False)

        def machine(_turn: int, seconds: float, _warm_up: float) -> Sample:
            return _machine_rate(bench, _hash_threads(running), seconds)

        # The pool's threads start with the first sign-in.
        signing_in(0, 0.5, 0.1)
        ours, bare = Contender("Hallpass", signing_in), Contender("Argon2id on as many threads, bare", machine)
        interleave([ours, bare], bench.timing)
        apart = _Apart(bench, running, sign_in)
        quiet, busy = Contender("Hallpass", apart.quiet), Contender("Hallpass", apart.busy)
        interleave([quiet, busy], bench.timing)
    rate = ours.median("requests_per_sec") / bare.median("requests_per_sec")
    cpu = busy.median("cpu_us") / quiet.median("cpu_us")
    p99 = busy.median("p99_us") / quiet.median("p99_us")
    path = f"sign in with a password, {SIGN_INS_AT_ONCE} connections"
    beside = f"mint, {MINTS_PER_SEC:,}/s"
    return [
        Line(path, "**Hallpass**", ours, Check(rate, f"{rate:.2f} × its rate", "≥ 0.95 ×", rate >= 0.95)),
        Line(path, bare.name, bare),
        Line(beside, "**Hallpass**, nobody signs in", quiet),
        Line(beside, "**Hallpass**, the pool is full", busy,
             Check(cpu, f"{cpu:.2f} × the CPU", "≤ 1.1 ×", cpu <= 1.1), note=apart.note()),
        Line(beside, "the same, p99", check=Check(p99, f"{p99:.2f} × the p99", "≤ 2 ×", p99 <= 2)),
    ]


def _sign_in(running: Server) -> Request:
    """The sign-in form of a browser on which the person has signed in before."""
    browser, ann = Browser(running), signin.person(running)
    filled = {"email": ann["email"], "password": ann["password"]}
    form = signin.fields(browser.go("/sign-in")[2])
    status, _, page = browser.go("/sign-in", form | filled)
    if status != 303:
        raise BenchError(f"nobody was signed in: {status} {page[:300]}")
    # Not the session: it would be replaced by the first answer, and with it the form.
    browser.cookies = {name: value for name, value in browser.cookies.items() if "session" not in name}
    form = signin.fields(browser.go("/sign-in")[2])
    return Request("/sign-in", "POST", (browser.cookie_header(), FORM), urlencode(form | filled), expect=303)


def _machine_rate(bench: Bench, threads: int, seconds: float) -> Sample:
    command = [str(bench.tools / "bare"), "argon", "--threads", str(threads), "--measure-secs", str(seconds)]
    before = _waited_for_secs()
    done = subprocess.run(pinned(SERVER_CORE, command), capture_output=True, text=True, env=environment(), check=False)
    if done.returncode != 0:
        raise BenchError(f"bare argon failed: {done.stderr[-600:]}")
    per_sec = json.loads(done.stdout)["per_sec"]
    hashes = max(1, round(per_sec * seconds))
    return Sample(requests=hashes, requests_per_sec=per_sec, p50_us=None, p99_us=None,
                  cpu_us=(_waited_for_secs() - before) * 1e6 / hashes)


def _waited_for_secs() -> float:
    """CPU seconds of the processes that were started and waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _threads(running: Server) -> dict[int, tuple[str, float]]:
    """The threads of a server: their names and CPU seconds."""
    found = {}
    for task in Path(f"/proc/{running.pid}/task").iterdir():
        try:
            head, rest = (task / "stat").read_text().rsplit(")", 1)
        except OSError:
            continue  # It has ended since.
        ticks = rest.split()[11:13]
        found[int(task.name)] = head.split("(", 1)[1], sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")
    return found


def _hash_threads(running: Server) -> int:
    count = sum(name == HASH_THREAD for name, _ in _threads(running).values())
    if not count:
        raise BenchError(f"no thread of the server is called {HASH_THREAD}")
    return count


def _other_secs(running: Server) -> float:
    """CPU seconds of everything but hashing."""
    hashing = sum(secs for name, secs in _threads(running).values() if name == HASH_THREAD)
    return hallpass.cpu_secs(running.pid) - hashing


class _Apart:
    """A fixed rate of mints, alone and while the pool that hashes is full."""

    def __init__(self, bench: Bench, running: Server, sign_in: Request):
        self.bench, self.running, self.sign_in = bench, running, sign_in
        self.own_us: list[float] = []
        self.sign_ins: list[float] = []

    def quiet(self, _turn: int, seconds: float, warm_up: float) -> Sample:
        return self._mint(seconds, warm_up)[0]

    def busy(self, _turn: int, seconds: float, warm_up: float) -> Sample:
        """What a sign-in costs besides its hash is measured first, and is not charged to the mints."""
        own = self._besides_hashing(lambda: self._sign_ins(seconds))
        self.own_us.append(own)
        with _Background(lambda: self._sign_ins(seconds + warm_up + 2)) as background:
            time.sleep(0.5)  # The pool fills.
            sample, took = self._mint(seconds, warm_up)
        rate = background.result.requests_per_sec
        self.sign_ins.append(rate)
        return replace(sample, cpu_us=sample.cpu_us - rate * took * own / sample.requests)

    def _mint(self, seconds: float, warm_up: float) -> tuple[Sample, float]:
        """Mints at the fixed rate, with the CPU time of all threads but those that hash; and how long it took."""
        def run(seconds: float) -> Sample:
            return self.bench.load.run(self.running, hallpass.mint(self.running.ready), MINT_CONNECTIONS, 0, 0,
                                       per_sec=MINTS_PER_SEC, count=max(1, round(MINTS_PER_SEC * seconds)))
        run(warm_up)
        before, begun = _other_secs(self.running), time.monotonic()
        sample = run(seconds)
        took, cpu = time.monotonic() - begun, _other_secs(self.running) - before
        return replace(sample, cpu_us=cpu * 1e6 / sample.requests), took

    def _sign_ins(self, seconds: float) -> Sample:
        return self.bench.load.run(self.running, self.sign_in, SIGN_INS_AT_ONCE, seconds, 0.1, spin=False)

    def _besides_hashing(self, work: Callable[[], Sample]) -> float:
        before = _other_secs(self.running)
        sample = work()
        return (_other_secs(self.running) - before) * 1e6 / sample.requests

    def note(self) -> str:
        return (f"{statistics.median(self.sign_ins):.0f} sign-ins a second meanwhile; a sign-in costs "
                f"{statistics.median(self.own_us):.0f} µs besides its hash, which are not charged to the mints")


class _Background:
    """Something that goes on meanwhile, and what came of it."""

    def __init__(self, work: Callable[[], Sample]):
        self._thread, self._work = threading.Thread(target=self._run), work
        self._error: Exception | None = None

    def _run(self) -> None:
        try:
            self.result = self._work()
        except Exception as error:  # Told where it is waited for.
            self._error = error

    def __enter__(self) -> "_Background":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.join()
        if self._error:
            raise self._error


ROWS = {
    "refresh": refresh,
    "client_credentials": client_credentials,
    "introspect": introspect,
    "authorize": authorize,
    "passwords": passwords,
}
