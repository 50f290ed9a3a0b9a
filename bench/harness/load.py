"""Driving the load generator and reading what it found."""

import json
import statistics
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Callable

from .process import LOAD_CORE, BenchError, Server, environment, pinned

JSON_BODY = "content-type: application/json"


@dataclass(frozen=True)
class Request:
    """One request, made again and again. `{n}` in the body is a number used once, `{line}` in a header
    one of `lines`, `{follow}` in the body what the connection's last answer said."""

    path: str
    method: str = "GET"
    headers: tuple[str, ...] = ()
    body: str | None = None
    expect: int = 200

    def arguments(self) -> list[str]:
        arguments = ["--path", self.path, "--method", self.method, "--expect", str(self.expect)]
        for header in self.headers:
            arguments += ["--header", header]
        return arguments + (["--body", self.body] if self.body is not None else [])


@dataclass(frozen=True)
class Sample:
    """One measured window."""

    requests: int
    requests_per_sec: float
    p50_us: float | None
    p99_us: float | None
    cpu_us: float | None


@dataclass(frozen=True)
class Timing:
    """How long to measure, how often. The first round warms up longer: Node compiles as it runs."""

    rounds: int
    measure_secs: float
    first_warm_up_secs: float
    warm_up_secs: float


@dataclass
class Load:
    """The load generator on its core.

    It spins (never sleeps) except where the disk or another server needs its core: see README.md.
    """

    binary: Path

    # `count`: exactly so many requests, all of them measured, and no warm-up.
    def run(self, server: Server, request: Request, connections: int, seconds: float, warm_up: float,
            spin: bool = True, lines: Path | None = None, follow: str | None = None,
            per_sec: float | None = None, count: int | None = None) -> Sample:
        arguments = ["--measure-secs", str(seconds), "--warm-up-secs", str(warm_up), "--pid", str(server.pid)]
        arguments += ["--spin"] if spin else []
        arguments += ["--lines", str(lines)] if lines else []
        arguments += ["--follow", follow] if follow else []
        arguments += ["--per-sec", str(per_sec)] if per_sec else []
        arguments += ["--requests", str(count)] if count else []
        found = self._call(server, request, connections, arguments)
        return Sample(**{name: found[name] for name in Sample.__dataclass_fields__})

    def collect(self, server: Server, request: Request, count: int, name: str, path: Path) -> None:
        """Makes `count` requests and writes the field `name` of every answer to a line of the file."""
        arguments = ["--requests", str(count), "--save-field", name, "--save-to", str(path)]
        self._call(server, request, 32, arguments)

    def _call(self, server: Server, request: Request, connections: int, arguments: list[str]) -> dict:
        command = [str(self.binary), "--addr", server.address, "--connections", str(connections)]
        done = subprocess.run(
            pinned(LOAD_CORE, command + request.arguments() + arguments),
            capture_output=True, text=True, env=environment({"RUST_BACKTRACE": "0"}), check=False,
        )
        if done.returncode != 0:
            raise BenchError(f"{request.method} {request.path.split('?')[0]}: {done.stderr.strip()}")
        found = json.loads(done.stdout)
        if found["failures"]:
            raise BenchError(
                f"{request.method} {request.path.split('?')[0]}: {found['failures']} of "
                f"{found['requests'] + found['failures']} requests failed: {found['failure_samples']}"
            )
        return found


@dataclass
class Contender:
    """Somebody who is measured: how to measure one round of them, and what came of it."""

    name: str
    measure: Callable[[int, float, float], Sample]
    """Takes the number of the round, the seconds to measure and to warm up."""
    samples: list[Sample] = field(default_factory=list)

    def median(self, what: str) -> float | None:
        values = [getattr(sample, what) for sample in self.samples]
        return None if not values or None in values else statistics.median(values)

    def spread(self) -> float | None:
        """Largest minus smallest CPU time of the rounds, as a share of their median."""
        values = [sample.cpu_us for sample in self.samples]
        if len(values) < 2 or None in values or not statistics.median(values):
            return None
        return (max(values) - min(values)) / statistics.median(values)


def interleave(contenders: list[Contender], timing: Timing) -> None:
    """A B A B …: a slow minute of the machine hits everybody."""
    for turn in range(timing.rounds):
        warm_up = timing.first_warm_up_secs if turn == 0 else timing.warm_up_secs
        for contender in contenders:
            contender.samples.append(contender.measure(turn, timing.measure_secs, warm_up))
