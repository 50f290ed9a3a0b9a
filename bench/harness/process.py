"""Starting servers on a core, reading their ready line, stopping them."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

SERVER_CORE = "0"
LOAD_CORE = "1"
READY_SECS = 60
STOP_SECS = 15


class BenchError(Exception):
    """Something that keeps a row from being measured, in words for the table."""


def pinned(core: str, command: list[str]) -> list[str]:
    """The command on one core; taskset replaces itself, so the process id stays the server's."""
    return ["taskset", "-c", core, *command]


def environment(extra: dict[str, str] | None = None) -> dict[str, str]:
    """This environment without what would change a server's behaviour behind our back."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("HALLPASS_", "RUST_", "DATABASE_URL"))}
    return {**kept, "NODE_ENV": "production", **(extra or {})}


@dataclass
class Server:
    """A running server: what it said when it was ready, and where it is."""

    process: subprocess.Popen
    ready: dict
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> str:
        return urlsplit(self.ready["url"]).netloc

    @property
    def port(self) -> int:
        port = urlsplit(self.ready["url"]).port
        if port is None:
            raise BenchError(f"the ready line names no port: {self.ready['url']}")
        return port


def tail(log: Path, length: int = 600) -> str:
    return log.read_text(errors="replace")[-length:].strip() if log.exists() else ""


def stop(process: subprocess.Popen) -> None:
    """SIGTERM, and SIGKILL for who does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_SECS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout:
        process.stdout.close()


@contextlib.contextmanager
def server(command: list[str], log: Path, env: dict[str, str] | None = None, cwd: Path | None = None):
    """A server on its core, from its ready line until the end of the block. Its log goes to a file."""
    with log.open("ab") as errors:
        process = subprocess.Popen(
            pinned(SERVER_CORE, command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            env=environment(env),
            cwd=cwd,
        )
    try:
        yield Server(process, _ready_line(process, command, log), log)
    finally:
        stop(process)


def _ready_line(process: subprocess.Popen, command: list[str], log: Path) -> dict:
    name = " ".join([Path(command[0]).name, *command[1:2]])
    deadline = time.monotonic() + READY_SECS
    line = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not line.endswith(b"\n"):
            if not selector.select(max(0, deadline - time.monotonic())):
                raise BenchError(f"{name} was not ready within {READY_SECS} s: {tail(log)}")
            part = os.read(process.stdout.fileno(), 65536)
            if not part:
                raise BenchError(f"{name} ended before it was ready: {tail(log)}")
            line += part
    try:
        ready = json.loads(line)
    except ValueError as error:
        raise BenchError(f"{name} printed no JSON ready line: {line[:200]!r}") from error
    if ready.get("event") != "ready" or not ready.get("url"):
        raise BenchError(f"{name} printed another line than its ready line: {line[:200]!r}")
    return ready
