"""A PostgreSQL cluster in a temporary folder with the defaults of the distribution: fsync and
synchronous_commit on. And pgbench against it."""

import contextlib
import os
import pwd
import resource
import shutil
import socket
import statistics
import subprocess
import time
from pathlib import Path

from .load import Sample
from .process import SERVER_CORE, BenchError, pinned, tail

CLIENTS = 64

# One insert of the row that a send writes, its position taken from a sequence.
SCRIPT = """\
INSERT INTO messages (channel_id, position, id, user_id, content, mentions_everyone, created_at, updated_at) \
SELECT 'chat_feed_01JD0000000000000000000000', n, 'post_01JD' || lpad(n::text, 22, '0'), \
'user_01JD0000000000000000000000', 'Hello ' || lpad(n::text, 12, '0') || '{rest}', false, \
1790000000000, 1790000000000 FROM (SELECT nextval('positions') AS n) AS next;
"""


class Cluster:
    """A running cluster. Databases are made with `create_database`."""

    def __init__(self, folder: Path, port: int, bin_dir: Path):
        self.folder, self.port, self.bin_dir = folder, port, bin_dir

    def url(self, database: str) -> str:
        return f"postgres://postgres@127.0.0.1:{self.port}/{database}"

    def create_database(self, name: str, script: str = "") -> None:
        self._psql("postgres", f"CREATE DATABASE {name}")
        if script:
            self._psql(name, script)

    def _psql(self, database: str, script: str) -> None:
        command = [str(self.bin_dir / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.url(database)]
        done = subprocess.run(command, input=script, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BenchError(f"psql failed: {done.stderr.strip()}")

    def pgbench(self, database: str, content_rest: str, seconds: float) -> Sample:
        """Inserts from 64 clients, pgbench in the place of the server: on its core."""
        script, log = self.folder / "insert.sql", self.folder / "pgbench-log"
        script.write_text(SCRIPT.replace("{rest}", content_rest))
        for old in self.folder.glob("pgbench-log.*"):
            old.unlink()
        command = [str(self.bin_dir / "pgbench"), "-n", "-M", "prepared", "-c", str(CLIENTS), "-j", "1",
                   "-T", str(max(1, round(seconds))), "-f", str(script), "-l", f"--log-prefix={log}",
                   self.url(database)]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        done = subprocess.run(pinned(SERVER_CORE, command), capture_output=True, text=True, check=False)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise BenchError(f"pgbench failed: {done.stderr.strip()[-600:]}")
        # Third column: microseconds of the transaction.
        took = [int(line.split()[2]) for file in self.folder.glob("pgbench-log.*")
                for line in file.read_text().splitlines()]
        rate = next((float(line.split()[2]) for line in done.stdout.splitlines() if line.startswith("tps =")), None)
        if rate is None or len(took) < 100:
            raise BenchError(f"pgbench told no rate: {done.stdout[-600:]}")
        cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        return Sample(requests=len(took), requests_per_sec=rate, p50_us=statistics.median(took),
                      p99_us=statistics.quantiles(took, n=100)[98], cpu_us=cpu * 1e6 / len(took))


@contextlib.contextmanager
def cluster(work: Path):
    """A cluster from initdb to its end. PostgreSQL refuses to run as root, who becomes `postgres`."""
    bin_dir = _bin_dir()
    folder = work / "postgres"
    folder.mkdir()
    as_user: list[str] = []
    if os.geteuid() == 0:
        try:
            owner = pwd.getpwnam("postgres")
        except KeyError as error:
            raise BenchError("there is no user `postgres` to run PostgreSQL as") from error
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        as_user = ["runuser", "-u", "postgres", "--"]
    data, log = folder / "data", work / "postgres.log"
    _run([*as_user, str(bin_dir / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust", "-E", "UTF8",
          "--locale=C"])
    port = free_port()
    # Nothing here touches durability: a socket folder we may write to, room for two pools, no IPv6.
    settings = {"port": port, "listen_addresses": "127.0.0.1", "unix_socket_directories": str(folder),
                "max_connections": 200}
    command = [*as_user, str(bin_dir / "postgres"), "-D", str(data)]
    for name, value in settings.items():
        command += ["-c", f"{name}={value}"]
    with log.open("wb") as errors:
        # In a session of its own, so that a Ctrl-C meant for the bench lets it end in order.
        process = subprocess.Popen(command, stdout=errors, stderr=errors, start_new_session=True)
    try:
        _wait_ready(bin_dir, port, process, log)
        yield Cluster(folder, port, bin_dir)
    finally:
        _run([*as_user, str(bin_dir / "pg_ctl"), "-D", str(data), "-m", "immediate", "-w", "stop"], check=False)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def version() -> str:
    done = subprocess.run([str(_bin_dir() / "postgres"), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _bin_dir() -> Path:
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    if not folders:
        raise BenchError("PostgreSQL is not installed (Debian: apt-get install postgresql)")
    return folders[-1]


def _wait_ready(bin_dir: Path, port: int, process: subprocess.Popen, log: Path) -> None:
    deadline = time.monotonic() + 30
    while subprocess.run([str(bin_dir / "pg_isready"), "-q", "-h", "127.0.0.1", "-p", str(port)],
                         check=False).returncode != 0:
        if process.poll() is not None or time.monotonic() > deadline:
            raise BenchError(f"PostgreSQL did not start: {tail(log)}")
        time.sleep(0.1)


def _run(command: list[str], check: bool = True) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    if check and done.returncode != 0:
        raise BenchError(f"`{' '.join(command[:5])}` failed: {done.stderr.strip()[-600:]}")
