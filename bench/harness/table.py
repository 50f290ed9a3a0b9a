"""The rows of the one table, and what must hold between them."""

from dataclasses import dataclass, field

from .load import Contender


@dataclass
class Check:
    """What was found, what must be, and whether it is; without a target it only informs."""

    value: float
    words: str
    must: str = ""
    passed: bool | None = None
    aim: str | None = None


@dataclass
class Line:
    """One line of the table."""

    path: str
    who: str
    contender: Contender | None = None
    check: Check | None = None
    error: str | None = None
    note: str | None = None

    def record(self) -> dict:
        record: dict = {"path": self.path, "who": self.who}
        if self.contender:
            for name in ("requests_per_sec", "p50_us", "p99_us", "cpu_us"):
                record[name] = self.contender.median(name)
            record["cpu_spread"] = self.contender.spread()
            record["rounds"] = [vars(sample) for sample in self.contender.samples]
        if self.check:
            record["check"] = vars(self.check)
        return record | {name: value for name in ("error", "note") if (value := getattr(self, name))}


@dataclass
class Table:
    facts: dict
    lines: list[Line] = field(default_factory=list)

    def failed(self) -> bool:
        return any(line.error for line in self.lines)

    def missed(self) -> list[Line]:
        return [line for line in self.lines if line.check and line.check.passed is False]

    def record(self) -> dict:
        return {"facts": self.facts, "rows": [line.record() for line in self.lines]}


def _median(contender: Contender, what: str) -> float:
    value = contender.median(what)
    if not value:
        raise ValueError(f"{contender.name} has no {what}")
    return value


def cpu_at_most(ours: Contender, peer: Contender, times: float, aim: float | None = None) -> Check:
    """Our CPU time per request is at most so many times the peer's."""
    value = _median(ours, "cpu_us") / _median(peer, "cpu_us")
    return Check(value, f"{value:.2f} × its CPU", f"≤ {times:g} ×", value <= times, aim and f"≤ {aim:g} ×")


def cpu_less(ours: Contender, peer: Contender, times: float) -> Check:
    """The peer spends at least so many times our CPU time per request."""
    value = _median(peer, "cpu_us") / _median(ours, "cpu_us")
    return Check(value, f"{value:.1f} × less CPU", f"≥ {times:g} ×", value >= times)


def rate_at_least(ours: Contender, peer: Contender, times: float, aim: float | None = None) -> Check:
    """We answer at least so many times the peer's requests per second."""
    value = _median(ours, "requests_per_sec") / _median(peer, "requests_per_sec")
    return Check(value, f"{value:.2f} × its rate", f"≥ {times:g} ×", value >= times, aim and f"≥ {aim:g} ×")


def rate_reaches(ours: Contender, rate: float) -> Check:
    value = _median(ours, "requests_per_sec")
    return Check(value, f"{value / 1000:.1f} k/s", f"≥ {rate / 1000:g} k/s", value >= rate)


def informs(ours: Contender, peer: Contender, what: str) -> Check:
    """A ratio of CPU times without a target."""
    value = _median(ours, "cpu_us") / _median(peer, "cpu_us")
    return Check(value, f"{value:.2f} × {what}")


def cpu_micros_at_most(ours: Contender, micros: float, aim: float) -> Check:
    """Our CPU time per request, whatever others need."""
    value = _median(ours, "cpu_us")
    return Check(value, f"{value:.0f} µs", f"≤ {micros:g} µs", value <= micros, f"≤ {aim:g} µs")


def at_most(value: float, limit: float, unit: str) -> Check:
    return Check(value, f"{value:.1f} {unit}", f"≤ {limit:g} {unit}", value <= limit)


def at_least(value: float, limit: float, unit: str) -> Check:
    return Check(value, f"{value:,.0f} {unit}", f"≥ {limit:,.0f} {unit}", value >= limit)
