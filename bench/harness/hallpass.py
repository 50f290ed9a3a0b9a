"""Everything this bench assumes about Hallpass: its commands, its ready line, its API, its file."""

import contextlib
import http.client
import json
import os
import shutil
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .load import JSON_BODY, Request
from .postgres import free_port
from .process import SERVER_CORE, BenchError, Server, environment, pinned, server, stop, tail

# What embedded chat asks for (spec/scopes.md §4).
CHAT_SCOPES = [
    "chat:read", "chat:message:create",
    "dms:read", "dms:message:manage", "dms:channel:manage",
    "support_chat:read", "support_chat:message:create",
]
MINT_PATH = "/api/v1/access_tokens"
READY_SECS = 30


@dataclass(frozen=True)
class Hallpass:
    """The binary under test."""

    binary: Path
    work: Path

    def dev(self, data: Path, port: int = 0, env: dict[str, str] | None = None):
        """`hallpass dev` on a folder: access log and metrics on, rate limits off."""
        command = [str(self.binary), "dev", "--port", str(port), "--data-dir", str(data)]
        return server(command, self.work / "hallpass.log", env)

    @contextlib.contextmanager
    def serve(self, data: Path, port: int):
        """`hallpass serve` as in production; the seconds from exec to the first 200 of /readyz."""
        command = [str(self.binary), "serve", "--data-dir", str(data), "--port", str(port)]
        log = self.work / "hallpass-serve.log"
        with log.open("ab") as errors:
            begun = time.perf_counter()
            process = subprocess.Popen(pinned(SERVER_CORE, command), stdin=subprocess.DEVNULL,
                                       stdout=errors, stderr=errors, env=environment())
        try:
            while not is_ready(port):
                if process.poll() is not None:
                    raise BenchError(f"hallpass serve ended: {tail(log)}")
                if time.perf_counter() - begun > READY_SECS:
                    raise BenchError(f"hallpass serve was not ready within {READY_SECS} s: {tail(log)}")
                time.sleep(0.0005)
            yield process.pid, time.perf_counter() - begun
        finally:
            stop(process)

    def serve_once(self, data: Path) -> None:
        """Lets `serve` make its folder, so that the next start finds existing data."""
        with self.serve(data, free_port()):
            pass

    def stripped_bytes(self) -> int:
        copy = self.work / "hallpass-stripped"
        shutil.copyfile(self.binary, copy)
        done = subprocess.run(["strip", str(copy)], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"strip failed: {done.stderr.strip()}")
        return copy.stat().st_size


def is_ready(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=1)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise BenchError("no VmRSS in /proc/<pid>/status")


def speaker(ready: dict) -> str:
    """The id of a plain member of the demo company."""
    users = ready["users"]
    return next((user["id"] for user in users if user["username"] == "ann"), users[-1]["id"])


def mint(ready: dict) -> Request:
    """Minting a token for embedded chat."""
    body = {"company_id": ready["company_id"], "user_id": speaker(ready), "scoped_actions": CHAT_SCOPES}
    headers = (f"authorization: Bearer {ready['api_key']}", JSON_BODY)
    return Request(MINT_PATH, "POST", headers, json.dumps(body, separators=(",", ":")))


def me(bearer: str) -> Request:
    """Reading a small object. `bearer` may be `{line}`."""
    return Request("/api/v1/users/me", headers=(f"authorization: Bearer {bearer}",))


def send(ready: dict, token: str, content: str) -> Request:
    body = json.dumps({"channel_id": ready["channel_id"], "content": content}, separators=(",", ":"))
    return Request("/api/v1/messages", "POST", (f"authorization: Bearer {token}", JSON_BODY), body)


def newest(ready: dict, token: str) -> Request:
    """The 50 newest messages of the demo channel."""
    path = f"/api/v1/messages?channel_id={ready['channel_id']}&first=50&direction=desc"
    return Request(path, headers=(f"authorization: Bearer {token}",))


def webhook(running: Server, url: str) -> str:
    """A webhook of the demo company that is told of every message; its id."""
    headers = (f"authorization: Bearer {running.ready['api_key']}", JSON_BODY)
    body = json.dumps({"url": url, "events": ["chat.message.created"]})
    return call(running, Request("/api/v1/webhooks", "POST", headers, body))["id"]


def test_webhook(ready: dict, hook: str) -> Request:
    headers = (f"authorization: Bearer {ready['api_key']}", JSON_BODY)
    body = json.dumps({"event": "chat.message.created"})
    return Request(f"/api/v1/webhooks/{hook}/test", "POST", headers, body)


def call(running: Server, request: Request) -> dict:
    """One request, from here."""
    connection = http.client.HTTPConnection(running.address, timeout=10)
    try:
        headers = dict(header.split(": ", 1) for header in request.headers)
        connection.request(request.method, request.path, request.body, headers)
        response = connection.getresponse()
        body = response.read()
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"{request.method} {request.path.split('?')[0]}: {error}") from error
    finally:
        connection.close()
    if response.status != 200:
        raise BenchError(f"{request.method} {request.path.split('?')[0]}: {response.status} {body[:400]!r}")
    return json.loads(body)


def token(running: Server) -> str:
    return call(running, mint(running.ready))["token"]


def fill_channel(data: Path, ready: dict, count: int) -> None:
    """Brings the demo channel of a stopped server to `count` messages, straight into its SQLite file."""
    db = sqlite3.connect(_database_file(data), isolation_level=None)
    channel, users = ready["channel_id"], [user["id"] for user in ready["users"]]
    try:
        head = db.execute("SELECT position FROM channel_heads WHERE channel_id = ?", (channel,)).fetchone()
        if head is None:
            raise BenchError("the demo channel has no row in channel_heads")
        have, at = head[0], int(time.time() * 1000) - count
        rows = (
            (channel, n, f"post_01JD{n:022}", users[n % len(users)],
             f"Message {n} of a channel that has seen a great deal of them by now.", at + n, at + n)
            for n in range(have + 1, count + 1)
        )
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO messages (channel_id, position, id, user_id, content, mentions_everyone, created_at,"
            " updated_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            rows,
        )
        db.execute("UPDATE channel_heads SET position = ? WHERE channel_id = ?", (max(have, count), channel))
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise BenchError(f"cannot fill the channel: {error}; bench/harness/hallpass.py knows another schema") from error
    finally:
        db.close()


def fill_unindexed(data: Path, ready: dict, count: int) -> str:
    """Adds `count` messages, with their events, that the search index has not seen. The last one's only word
    that no other has."""
    db = sqlite3.connect(_database_file(data), isolation_level=None)
    channel, user = ready["channel_id"], speaker(ready)
    try:
        position, seq = db.execute(
            "SELECT position, seq FROM channel_heads WHERE channel_id = ?", (channel,)).fetchone()
        at = int(time.time() * 1000) - count
        ids = [f"post_01JD{n:022}" for n in range(count)]
        last = "paling"
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO messages (channel_id, position, id, user_id, content, mentions_everyone, created_at,"
            " updated_at) VALUES (?, ?, ?, ?, ?, 0, ?, ?)",
            ((channel, position + n + 1, id, user,
              f"Hello {n} from the bench: a message of the length that people write when they are awake."
              + (f" {last}" if n == count - 1 else ""), at + n, at + n) for n, id in enumerate(ids)),
        )
        db.executemany(
            "INSERT INTO events (channel_id, seq, kind, subject, at) VALUES (?, ?, 'message.created', ?, ?)",
            ((channel, seq + n + 1, id, at + n) for n, id in enumerate(ids)),
        )
        db.execute("UPDATE channel_heads SET position = ?, seq = ? WHERE channel_id = ?",
                   (position + count, seq + count, channel))
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return last
    except sqlite3.Error as error:
        raise BenchError(f"cannot fill the channel: {error}; bench/harness/hallpass.py knows another schema") from error
    finally:
        db.close()


def search(ready: dict, token: str, word: str) -> Request:
    """Searching the demo channel."""
    path = f"/api/v1/messages/search?channel_id={ready['channel_id']}&query={word}"
    return Request(path, headers=(f"authorization: Bearer {token}",))


def fill_reactions(data: Path, message: str, count: int) -> None:
    """Makes a message one that `count` users reacted to with a heart, straight into a stopped server's file."""
    db = sqlite3.connect(_database_file(data), isolation_level=None)
    try:
        rows = ((f"reac_01JD{n:022}", message, f"user_01JD{n:022}", ":heart:", n) for n in range(count))
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany("INSERT INTO reactions (id, message_id, user_id, mark, created_at) VALUES (?, ?, ?, ?, ?)", rows)
        db.execute("INSERT INTO reaction_counts (message_id, mark, count, first_at) VALUES (?, ':heart:', ?, 0)",
                   (message, count))
        db.execute("UPDATE messages SET reacted = 1 WHERE id = ?", (message,))
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise BenchError(f"cannot fill reactions: {error}; bench/harness/hallpass.py knows another schema") from error
    finally:
        db.close()


def fill_dms(data: Path, ready: dict, count: int) -> None:
    """Gives the speaker `count` direct messages, each with another company member, straight into a stopped
    server's file."""
    me, company = speaker(ready), ready["company_id"]
    other = next(user["id"] for user in ready["users"] if user["id"] != me)
    at = int(time.time() * 1000) - count
    db = sqlite3.connect(_database_file(data), isolation_level=None)
    try:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("BEGIN")
        db.executemany(
            "INSERT INTO feeds (id, company_id, identity, last_message_at, root_id, is_open, active_at,"
            " created_at, updated_at) VALUES (?, ?, ?, ?, ?, 1, ?, ?, ?)",
            ((f"feed_01JD{n:022}", company, f"bench:{n}", at + n, company, at + n, at + n, at + n) for n in range(count)),
        )
        db.executemany(
            "INSERT INTO channel_heads (channel_id, position, seq) VALUES (?, 0, 0)",
            ((f"feed_01JD{n:022}",) for n in range(count)),
        )
        db.executemany(
            "INSERT INTO feed_members (id, feed_id, user_id, company_id, is_admin, status, notifications, active_at,"
            " created_at, updated_at) VALUES (?, ?, ?, ?, ?, 'accepted', 'all', ?, ?, ?)",
            ((f"fdmem_01JD{2 * n + seat:022}", f"feed_01JD{n:022}", user, company, seat, at + n, at + n, at + n)
             for n in range(count) for seat, user in enumerate((me, other))),
        )
        db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error as error:
        raise BenchError(f"cannot fill direct messages: {error}; bench/harness/hallpass.py knows another schema") from error
    finally:
        db.close()


def dms(token: str) -> Request:
    """The 50 direct messages in which something was last said."""
    return Request("/api/v1/dm_channels?first=50", headers=(f"authorization: Bearer {token}",))


def post_message(running: Server, token: str) -> str:
    """A new message; its id."""
    return call(running, send(running.ready, token, "React to this."))["id"]


def retrieve(message: str, token: str) -> Request:
    return Request(f"/api/v1/messages/{message}", headers=(f"authorization: Bearer {token}",))


def react_and_take_back(message: str, token: str) -> list[Request]:
    """A reaction of one more user, and its end: two writes, after which all is as before."""
    headers = (f"authorization: Bearer {token}", JSON_BODY)
    body = json.dumps({"resource_id": message, "emoji": ":heart:"}, separators=(",", ":"))
    return [Request("/api/v1/reactions", "POST", headers, body),
            Request(f"/api/v1/reactions/{message}?emoji=:heart:", "DELETE", headers[:1])]


def call_in_turn(running: Server, requests: list[Request], seconds: float) -> tuple[int, list[float], float]:
    """Makes the requests one after another, again and again: how many, what each took, and the server's CPU
    time, in seconds."""
    connection = http.client.HTTPConnection(running.address, timeout=10)
    took, before = [], cpu_secs(running.process.pid)
    end = time.perf_counter() + seconds
    try:
        while time.perf_counter() < end:
            for request in requests:
                begun = time.perf_counter()
                headers = dict(header.split(": ", 1) for header in request.headers)
                connection.request(request.method, request.path, request.body, headers)
                response = connection.getresponse()
                response.read()
                if response.status != 200:
                    raise BenchError(f"{request.method} {request.path.split('?')[0]}: {response.status}")
                took.append(time.perf_counter() - begun)
    except (OSError, http.client.HTTPException) as error:
        raise BenchError(f"reactions: {error}") from error
    finally:
        connection.close()
    return len(took), took, cpu_secs(running.process.pid) - before


def cpu_secs(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _database_file(data: Path) -> Path:
    for path in sorted(data.rglob("*")):
        if path.is_file() and path.stat().st_size:
            with path.open("rb") as file:
                if file.read(16) == b"SQLite format 3\0":
                    return path
    raise BenchError("no SQLite file in the data folder")
