"""Runs `hallpass dev` as a child process and hands over what its ready line says.

Standard library only: the examples' test uses it too.
"""

import json
import os
import selectors
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
BINARY = Path(os.environ.get("HALLPASS_BIN") or ROOT / "target" / "debug" / "hallpass")

READY_WITHIN_SECS = 30
STOPPED_WITHIN_SECS = 15


@dataclass(frozen=True)
class Hallpass:
    """A running server and its demo data (the names of the ready line)."""

    url: str
    company_id: str
    api_key: str
    app_id: str
    users: list[dict[str, Any]]
    experience_id: str
    channel_id: str
    oauth: dict[str, Any]
    other: dict[str, Any]

    @property
    def base_url(self) -> str:
        """What an SDK takes for its base URL."""
        return f"{self.url}/api/v1"

    def user(self, username: str) -> str:
        """The id of the demo user called `username`."""
        return next(user["id"] for user in self.users if user["username"] == username)

    def user_with_role(self, role: str) -> str:
        """The id of the first demo user with `role`."""
        return next(user["id"] for user in self.users if user["role"] == role)


@contextmanager
def hallpass_dev(*flags: str) -> Iterator[Hallpass]:
    """Starts `hallpass dev --port 0 FLAGS…`, and stops it at the end of the `with` block."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen([BINARY, "dev", "--port", "0", *flags], stdout=subprocess.PIPE, stderr=log)
        try:
            line = _first_line(process)
            if not line:
                log.seek(0)
                raise RuntimeError(f"hallpass did not become ready:\n{log.read().decode()}")
            ready = json.loads(line)
            if ready["event"] != "ready":
                raise RuntimeError(f"not a ready line: {line!r}")
            yield Hallpass(**{name: ready[name] for name in Hallpass.__dataclass_fields__})
        finally:
            process.terminate()
            try:
                process.wait(STOPPED_WITHIN_SECS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
                raise
            finally:
                process.stdout.close()


def _first_line(process: subprocess.Popen[bytes]) -> bytes:
    """The first line on stdout; empty when the process ends or the time is up before it."""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        return process.stdout.readline() if selector.select(READY_WITHIN_SECS) else b""
