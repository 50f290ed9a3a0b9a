"""The measurements: one function for each row of the issue's table. Each returns the lines it adds."""

import contextlib
import json
import statistics
import subprocess
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

from . import build, hallpass, postgres
from .load import JSON_BODY, Contender, Load, Request, Sample, Timing, interleave
from .process import SERVER_CORE, BenchError, Server, environment, pinned, server
from .table import Check, Line, at_least, at_most, cpu_at_most, cpu_less, informs, rate_at_least, rate_reaches

# What is said in a message; `{n}` makes each another one.
CONTENT_REST = " from the bench: a message of the length that people write when they are awake."
CONTENT = "Hello {n}" + CONTENT_REST
BARE_CHANNEL = "chat_feed_01JD0000000000000000000000"

COLD_TOKENS = 30_000
DELIVERIES = 20_000
FSYNC_MICROS = 4_000
UNINDEXED = 50_000
IDLE_SECS = 3
STARTS = 10


@dataclass(frozen=True)
class Bench:
    """What every row needs."""

    tools: Path
    load: Load
    work: Path
    timing: Timing
    quick: bool
    hallpass: hallpass.Hallpass | None

    def folder(self, name: str) -> Path:
        """A new folder, on the disk that databases are measured on."""
        return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=self.work))

    def bare(self, *arguments: str, env: dict[str, str] | None = None):
        return server([str(self.tools / "bare"), *arguments], self.work / "bare.log", env)

    def peer(self, script: str):
        return server(["node", f"{script}.mjs"], self.work / f"{script}.log", cwd=build.PEERS)

    def schema(self) -> Path:
        """The product's table `messages`, for the bare peers."""
        path = self.work / "messages.sql"
        path.write_text(build.messages_schema("sqlite"))
        return path

    def contender(self, name: str, running: Server, request: Request, connections: int,
                  spin: bool = True) -> Contender:
        def measure(_turn: int, seconds: float, warm_up: float) -> Sample:
            return self.load.run(running, request, connections, seconds, warm_up, spin)
        return Contender(name, measure)


def lines_of(path: str, ours: Contender | None, peers: list[tuple[Contender, object]], own_check=None) -> list[Line]:
    """Hallpass first, its peers below it, each with its check (a function of our and its figures)."""
    lines = [Line(path, "**Hallpass**", ours, own_check(ours) if own_check else None)] if ours else []
    for peer, check in peers:
        lines.append(Line(path, peer.name, peer, check(ours, peer) if ours and check else None))
    return lines


def mint(bench: Bench) -> list[Line]:
    """An API key becomes a user token."""
    with contextlib.ExitStack() as stack:
        ours = None
        if bench.hallpass:
            running = stack.enter_context(bench.hallpass.dev(bench.folder("mint")))
            ours = bench.contender("Hallpass", running, hallpass.mint(running.ready), 32)
        body = json.dumps({
            "company_id": "biz_01JD0000000000000000000000", "user_id": "user_01JD0000000000000000000000",
            "scoped_actions": hallpass.CHAT_SCOPES,
        }, separators=(",", ":"))

        def by_key(name: str, running: Server) -> Contender:
            headers = (f"authorization: Bearer {running.ready['api_key']}", JSON_BODY)
            return bench.contender(name, running, Request("/mint", "POST", headers, body), 32)

        bare = by_key("bare axum, ES256", stack.enter_context(bench.bare("tokens")))
        jose = by_key("Express 5 + jose, ES256", stack.enter_context(bench.peer("express-jose")))
        stream = by_key("Express 5 + stream-chat, HS256", stack.enter_context(bench.peer("express-stream-chat")))
        provider = stack.enter_context(bench.peer("oidc-provider"))
        headers = (f"authorization: {provider.ready['authorization']}",
                   "content-type: application/x-www-form-urlencoded")
        grant = "grant_type=client_credentials&scope=chat%3Aread+chat%3Amessage%3Acreate"
        oidc = bench.contender("oidc-provider, client_credentials, ES256", provider,
                               Request("/token", "POST", headers, grant), 32)
        interleave([c for c in (ours, bare, jose, stream, oidc) if c], bench.timing)
    return lines_of("mint, warm, 32 connections", ours, [
        (bare, lambda us, it: cpu_at_most(us, it, 1.25, aim=1.1)),
        (jose, lambda us, it: cpu_less(us, it, 4.5)),
        (stream, lambda us, it: cpu_less(us, it, 13)),
        (oidc, lambda us, it: cpu_less(us, it, 5.5)),
    ])


def read(bench: Bench) -> list[Line]:
    """An authenticated read of a small object with a token seen before."""
    with contextlib.ExitStack() as stack:
        ours = None
        if bench.hallpass:
            running = stack.enter_context(bench.hallpass.dev(bench.folder("read")))
            ours = bench.contender("Hallpass", running, hallpass.me(hallpass.token(running)), 32)
        hello = bench.contender("bare axum, hello", stack.enter_context(bench.bare("tokens")), Request("/hello"), 32)
        interleave([c for c in (ours, hello) if c], bench.timing)
    return lines_of("read users/me, warm token, 32 connections", ours, [(hello, lambda us, it: cpu_at_most(us, it, 3))])


def cold(bench: Bench) -> list[Line]:
    """The same with a token never seen: every request has its own, minted before the server was started."""
    folder = bench.folder("cold")

    def tokens(name: str, running: Server, request: Request) -> list[Path]:
        paths = [folder / f"{name}-{turn}" for turn in range(bench.timing.rounds)]
        for path in paths:
            bench.load.collect(running, request, COLD_TOKENS, "token", path)
        return paths

    def contender(name: str, running: Server, request: Request, paths: list[Path]) -> Contender:
        def measure(turn: int, seconds: float, _warm_up: float) -> Sample:
            return bench.load.run(running, request, 32, seconds, 0.3, lines=paths[turn])
        return Contender(name, measure)

    with contextlib.ExitStack() as stack:
        ours = None
        if bench.hallpass:
            data = bench.folder("cold-data")
            with bench.hallpass.dev(data) as running:
                port, paths = running.port, tokens("hallpass", running, hallpass.mint(running.ready))
            # The same port: the tokens name it as their issuer.
            running = stack.enter_context(bench.hallpass.dev(data, port))
            ours = contender("Hallpass", running, hallpass.me("{line}"), paths)
        bare = stack.enter_context(bench.bare("tokens"))
        body = json.dumps({"company_id": "biz_01JD0000000000000000000000",
                           "user_id": "user_01JD0000000000000000000000", "scoped_actions": hallpass.CHAT_SCOPES})
        by_key = Request("/mint", "POST", (f"authorization: Bearer {bare.ready['api_key']}", JSON_BODY), body)
        request = Request("/verify", headers=("authorization: Bearer {line}",))
        verify = contender("bare axum, ES256 verify", bare, request, tokens("bare", bare, by_key))
        interleave([c for c in (ours, verify) if c], replace(bench.timing, measure_secs=min(bench.timing.measure_secs, 1.5)))
    return lines_of("read users/me, cold tokens, 32 connections", ours,
                  [(verify, lambda us, it: cpu_at_most(us, it, 1.25))])


def _bare_send(stack: contextlib.ExitStack, bench: Bench, env: dict[str, str] | None = None) -> tuple[Server, Request]:
    db = bench.folder("bare-send") / "bare.db"
    running = stack.enter_context(bench.bare("send", "--db", str(db), "--schema", str(bench.schema()), env=env))
    body = json.dumps({"channel_id": BARE_CHANNEL, "content": CONTENT}, separators=(",", ":"))
    return running, Request("/messages", "POST", (JSON_BODY,), body)


def _our_send(stack: contextlib.ExitStack, bench: Bench, env: dict[str, str] | None = None) -> tuple[Server, Request]:
    assert bench.hallpass
    running = stack.enter_context(bench.hallpass.dev(bench.folder("send"), env=env))
    return running, hallpass.send(running.ready, hallpass.token(running), CONTENT)


def _disk_timing(timing: Timing) -> Timing:
    """Disks are noisier than cores: shorter windows, more of them."""
    return replace(timing, rounds=timing.rounds + 2, measure_secs=min(timing.measure_secs, 2), first_warm_up_secs=1)


def send(bench: Bench) -> list[Line]:
    """A message into SQLite, on the disk before it is answered."""
    lines = []
    with contextlib.ExitStack() as stack:
        us = _our_send(stack, bench) if bench.hallpass else None
        bare_server, bare_request = _bare_send(stack, bench)
        for connections in (64, 256):
            ours = bench.contender("Hallpass", *us, connections, spin=False) if us else None
            bare = bench.contender("bare axum + group commit", bare_server, bare_request, connections, spin=False)
            interleave([c for c in (ours, bare) if c], _disk_timing(bench.timing))
            lines += lines_of(f"send, SQLite FULL, {connections} connections", ours,
                            [(bare, lambda us, it: rate_at_least(us, it, 0.45, aim=0.8))])
    return lines


def fsync(bench: Bench) -> list[Line]:
    """The same when every fsync takes 4 ms."""
    env = {"LD_PRELOAD": str(build.shim())}
    with contextlib.ExitStack() as stack:
        ours = None
        if bench.hallpass:
            ours = bench.contender("Hallpass", *_our_send(stack, bench, env), 64, spin=False)
        bare = bench.contender("bare axum + group commit", *_bare_send(stack, bench, env), 64, spin=False)
        interleave([c for c in (ours, bare) if c], bench.timing)
    for contender in filter(None, (ours, bare)):
        if (contender.median("p50_us") or 0) < FSYNC_MICROS:
            raise BenchError(f"{contender.name} answered in less than an fsync: the preload shim did not take hold")
    return lines_of("send, SQLite FULL, fsync 4 ms, 64 connections", ours, [(bare, None)],
                  own_check=lambda us: rate_reaches(us, 7_000))


def on_postgres(bench: Bench) -> list[Line]:
    """The same into PostgreSQL. Hallpass and pgbench each on the server's core, PostgreSQL where it likes."""
    with contextlib.ExitStack() as stack:
        cluster = stack.enter_context(postgres.cluster(bench.work))
        schema = build.messages_schema("postgres")
        cluster.create_database("pgbench", f"{schema}\nCREATE SEQUENCE positions;")
        cluster.pgbench("pgbench", CONTENT_REST, 1)
        peer = Contender(f"pgbench, {postgres.CLIENTS} clients",
                         lambda _turn, seconds, _warm_up: cluster.pgbench("pgbench", CONTENT_REST, seconds))
        ours = None
        if bench.hallpass:
            cluster.create_database("hallpass")
            env = {"HALLPASS_DATABASE__URL": cluster.url("hallpass")}
            ours = bench.contender("Hallpass", *_our_send(stack, bench, env), postgres.CLIENTS, spin=False)
        interleave([c for c in (ours, peer) if c], _disk_timing(bench.timing))
        peer_lines = [(peer, lambda us, it: rate_at_least(us, it, 0.9))]
    return lines_of(f"send, PostgreSQL, {postgres.CLIENTS} connections", ours, peer_lines)


def webhooks(bench: Bench) -> list[Line]:
    """What the outbox adds to a send, and how fast it is told."""
    if not bench.hallpass:
        return []
    with contextlib.ExitStack() as stack:
        receiver = stack.enter_context(server([str(bench.tools / "receiver")], bench.work / "receiver.log"))
        plain = bench.contender("Hallpass, no webhook", *_our_send(stack, bench), 64, spin=False)
        told_server, request = _our_send(stack, bench)
        hook = hallpass.webhook(told_server, f"{receiver.ready['url']}/hook")
        told = bench.contender("Hallpass", told_server, request, 64, spin=False)
        # The receiver is closed: what is told waits, and a send pays for its row in the outbox alone.
        interleave([plain, told], _disk_timing(bench.timing))
        rate = _drain(bench, told_server, receiver, hook)
    return [
        Line("send, a webhook told of each, 64 connections", "**Hallpass**", told, cpu_at_most(told, plain, 1.1)),
        Line("send, a webhook told of each, 64 connections", plain.name, plain),
        Line(f"webhook deliveries, of {DELIVERIES:,} that wait", "**Hallpass**", check=at_least(rate, 3_000, "/s")),
    ]


def _drain(bench: Bench, told: Server, receiver: Server, hook: str) -> float:
    """Opens the receiver and times how fast what waits arrives, past the first tenth."""
    hallpass.call(receiver, Request("/open", "POST"))
    # A test has the queue worked on at once, whatever failed before.
    hallpass.call(told, hallpass.test_webhook(told.ready, hook))
    first = last = None
    deadline = time.monotonic() + 60
    while True:
        now, count = time.monotonic(), hallpass.call(receiver, Request("/count"))["count"]
        if first is None and count >= DELIVERIES // 10:
            first = (now, count)
        if count >= DELIVERIES:
            last = (now, count)
            break
        if now > deadline:
            raise BenchError(f"{count} of {DELIVERIES} deliveries came within a minute")
        time.sleep(0.01)
    return (last[1] - first[1]) / (last[0] - first[0])


def list_messages(bench: Bench) -> list[Line]:
    """The newest 50 messages of a small and of a large channel."""
    small, large = 10_000, 100_000 if bench.quick else 1_000_000
    schema = bench.schema()

    def bare_arguments(rows: int) -> list[str]:
        return ["--db", str(bench.work / f"bare-list-{rows}.db"), "--schema", str(schema), "--rows", str(rows)]

    with contextlib.ExitStack() as stack:
        ours: dict[int, Contender] = {}
        bare: dict[int, Contender] = {}
        for rows in (small, large):
            if bench.hallpass:
                data = bench.folder(f"list-{rows}")
                with bench.hallpass.dev(data) as running:
                    ready = running.ready
                hallpass.fill_channel(data, ready, rows)
                running = stack.enter_context(bench.hallpass.dev(data))
                request = hallpass.newest(running.ready, hallpass.token(running))
                page = hallpass.call(running, request)["data"]
                if len(page) != 50 or f"Message {rows} " not in page[0]["content"]:
                    raise BenchError(f"the page has {len(page)} messages and begins with {str(page[:1])[:300]}")
                ours[rows] = bench.contender("Hallpass", running, request, 8)
            running = stack.enter_context(bench.bare("list", *bare_arguments(rows)))
            bare[rows] = bench.contender("bare axum + the SQL", running, Request("/messages"), 8)
        interleave([*ours.values(), *bare.values()], bench.timing)
    micros = _sql_micros(bench, bare_arguments(large))
    alone = Sample(requests=0, requests_per_sec=1e6 / micros, p50_us=micros, p99_us=micros, cpu_us=micros)
    sql = Contender("the SQL alone, inside a process", lambda *_: alone, [alone])
    return [
        *lines_of(_list_path(large), ours.get(large), [(bare[large], _near_bare), (sql, _beside_sql)],
                own_check=_flat(ours, small)),
        *lines_of(_list_path(small), ours.get(small), [(bare[small], _near_bare)]),
    ]


def _list_path(rows: int) -> str:
    return f"list 50 of {rows:,}, 8 connections"


def _near_bare(us: Contender, bare: Contender) -> Check:
    return cpu_at_most(us, bare, 1.5)


def _beside_sql(us: Contender, sql: Contender) -> Check:
    return informs(us, sql, "its time")


def _flat(ours: dict[int, Contender], small: int):
    """A large channel costs what a small one costs."""
    def check(us: Contender) -> Check:
        check = cpu_at_most(us, ours[small], 1.15)
        return replace(check, words=f"{check.value:.2f} × that of {small:,}")
    return check


def _sql_micros(bench: Bench, arguments: list[str]) -> float:
    command = pinned(SERVER_CORE, [str(bench.tools / "bare"), "list-sql", *arguments])
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), check=False)
    if done.returncode != 0:
        raise BenchError(f"bare list-sql failed: {done.stderr[-600:]}")
    return json.loads(done.stdout)["median_us"]


def index(bench: Bench) -> list[Line]:
    """How fast the search index follows what is said, and what that costs beside sending it."""
    if not bench.hallpass:
        return []
    took, cpu = [], []
    for _ in range(bench.timing.rounds):
        data = bench.folder("index")
        with bench.hallpass.dev(data) as running:
            ready = running.ready
        word = hallpass.fill_unindexed(data, ready, UNINDEXED)
        begun = time.monotonic()
        with bench.hallpass.dev(data) as running:
            request = hallpass.search(running.ready, hallpass.token(running), word)
            ready_cpu = hallpass.cpu_secs(running.process.pid)
            while not hallpass.call(running, request)["data"]:
                if time.monotonic() - begun > 120:
                    raise BenchError(f"{UNINDEXED} messages were not indexed within two minutes")
                time.sleep(0.1)
            took.append(time.monotonic() - begun)
            cpu.append((hallpass.cpu_secs(running.process.pid) - ready_cpu) / UNINDEXED * 1e6)
    micros = statistics.median(cpu)
    sample = Sample(requests=UNINDEXED, requests_per_sec=UNINDEXED / statistics.median(took), p50_us=None, p99_us=None,
                    cpu_us=micros)
    ours = Contender("Hallpass", lambda *_: sample, [sample])
    return [Line(f"search index, {UNINDEXED:,} messages behind", "**Hallpass**", ours)]


def list_dms(bench: Bench) -> list[Line]:
    """The first page of the direct messages of somebody who has a few, and of somebody who has very many."""
    if not bench.hallpass:
        return []
    small, large = 100, 10_000
    with contextlib.ExitStack() as stack:
        ours: dict[int, Contender] = {}
        for count in (small, large):
            data = bench.folder(f"dms-{count}")
            with bench.hallpass.dev(data) as running:
                ready = running.ready
            hallpass.fill_dms(data, ready, count)
            running = stack.enter_context(bench.hallpass.dev(data))
            request = hallpass.dms(hallpass.token(running))
            page = hallpass.call(running, request)["data"]
            if len(page) != 50 or not page[0]["id"].endswith(f"{count - 1:06}"):
                raise BenchError(f"the page has {len(page)} channels and begins with {str(page[:1])[:300]}")
            ours[count] = bench.contender("Hallpass", running, request, 8)
        interleave(list(ours.values()), bench.timing)

    def flat(us: Contender) -> Check:
        check = cpu_at_most(us, ours[small], 2)
        return replace(check, words=f"{check.value:.2f} × that of {small:,}")

    return [
        *lines_of(f"list 50 of {large:,} direct messages, 8 connections", ours[large], [], own_check=flat),
        *lines_of(f"list 50 of {small:,} direct messages, 8 connections", ours[small], []),
    ]


def react(bench: Bench) -> list[Line]:
    """Reacting to a message that nobody reacted to, and to one that ten thousand did; and reading them."""
    if not bench.hallpass:
        return []
    many = 10_000
    with contextlib.ExitStack() as stack:
        contenders: dict[tuple[str, int], Contender] = {}
        data = bench.folder("react")
        with bench.hallpass.dev(data) as running:
            token = hallpass.token(running)
            messages = {count: hallpass.post_message(running, token) for count in (0, many)}
        hallpass.fill_reactions(data, messages[many], many)
        running = stack.enter_context(bench.hallpass.dev(data))
        token = hallpass.token(running)
        for count, message in messages.items():
            requests = {"react and take back": hallpass.react_and_take_back(message, token),
                        "read": [hallpass.retrieve(message, token)]}
            for what, these in requests.items():
                def measure(_turn: int, seconds: float, _warm_up: float, these=these) -> Sample:
                    done, took, cpu = hallpass.call_in_turn(running, these, seconds)
                    took = sorted(took)
                    return Sample(requests=done, requests_per_sec=done / seconds, p50_us=took[done // 2] * 1e6,
                                  p99_us=took[done * 99 // 100] * 1e6, cpu_us=cpu / done * 1e6)
                contenders[what, count] = Contender("Hallpass", measure)
        interleave(list(contenders.values()), bench.timing)
    lines = []
    for what in ("react and take back", "read"):
        few, ours = contenders[what, 0], contenders[what, many]
        check = cpu_at_most(ours, few, 1.15)
        check = replace(check, words=f"{check.value:.2f} × that of none")
        lines += lines_of(f"{what}, a message with {many:,} reactions, 1 connection", ours, [], own_check=lambda _, c=check: c)
        lines += lines_of(f"{what}, a message without", few, [])
    return lines


def start(bench: Bench) -> list[Line]:
    """Starting on existing data, idle memory, size."""
    if not bench.hallpass:
        return []
    data, took, resident = bench.folder("start"), [], 0.0
    bench.hallpass.serve_once(data)
    for turn in range(STARTS):
        with bench.hallpass.serve(data, postgres.free_port()) as (pid, seconds):
            took.append(seconds * 1000)
            if turn == STARTS - 1:
                time.sleep(IDLE_SECS)
                resident = hallpass.resident_mib(pid)
    size = bench.hallpass.stripped_bytes() / 2**20
    return [
        Line(f"start `serve` on existing data, median of {STARTS}", "**Hallpass**",
             check=at_most(statistics.median(took), 120, "ms")),
        Line(f"resident memory after {IDLE_SECS} s idle", "**Hallpass**", check=at_most(resident, 32, "MiB")),
        Line("stripped binary", "**Hallpass**", check=at_most(size, 30, "MiB")),
    ]


ROWS = {
    "mint": mint,
    "read": read,
    "cold": cold,
    "send": send,
    "fsync": fsync,
    "postgres": on_postgres,
    "webhooks": webhooks,
    "list": list_messages,
    "index": index,
    "dms": list_dms,
    "react": react,
    "start": start,
}
