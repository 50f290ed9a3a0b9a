"""The table as Markdown."""

from .load import Contender
from .table import Line, Table

HEAD = ["path", "measured", "req/s", "p50 ms", "p99 ms", "CPU µs/req", "Hallpass beside it", "must reach", ""]
MARKS = {True: "✓", False: "✗", None: ""}
# A contender whose rounds lie further apart than this had a bad day.
NOISY = 0.25


def markdown(table: Table) -> str:
    rows, path = [], None
    for line in table.lines:
        rows.append(_cells(line, line.path if line.path != path else ""))
        path = line.path
    widths = [max(len(row[column]) for row in [HEAD, *rows]) for column in range(len(HEAD))]
    numbers = {2, 3, 4, 5}
    out = [_facts(table.facts), ""]
    out.append(_row(HEAD, widths, numbers))
    out.append("|" + "|".join("-" * (width + 1) + (":" if column in numbers else "-")
                              for column, width in enumerate(widths)) + "|")
    out += [_row(row, widths, numbers) for row in rows]
    notes = _notes(table)
    return "\n".join([*out, *([""] if notes else []), *notes])


def _row(cells: list[str], widths: list[int], numbers: set[int]) -> str:
    padded = (cell.rjust(width) if column in numbers else cell.ljust(width)
              for column, (cell, width) in enumerate(zip(cells, widths, strict=True)))
    return "| " + " | ".join(padded) + " |"


def _cells(line: Line, path: str) -> list[str]:
    check = line.check
    if line.error:
        return [path, line.who, "", "", "", "", "not measured, see below", "", "✗"]
    return [
        path, line.who, *_numbers(line.contender),
        check.words if check else "",
        (check.must + (f", aim {check.aim}" if check.aim else "")) if check else "",
        MARKS[check.passed] if check else "",
    ]


def _numbers(contender: Contender | None) -> list[str]:
    if not contender:
        return ["", "", "", ""]
    rate, cpu = contender.median("requests_per_sec"), contender.median("cpu_us")
    p50, p99 = contender.median("p50_us"), contender.median("p99_us")
    return [
        "" if rate is None else f"{rate:,.0f}",
        "" if p50 is None else f"{p50 / 1000:.2f}",
        "" if p99 is None else f"{p99 / 1000:.2f}",
        "" if cpu is None else f"{cpu:.1f}",
    ]


def _notes(table: Table) -> list[str]:
    notes = [f"- {line.path}{line.who and ', '}{line.who}: {text}" for line in table.lines for text in (line.error, line.note) if text]
    noisy = [f"{line.path}, {line.who} (± {line.contender.spread() / 2:.0%})" for line in table.lines
             if line.contender and (line.contender.spread() or 0) > NOISY]
    if noisy:
        notes.append(f"- CPU time of these varied between rounds: {'; '.join(noisy)}.")
    return notes


def _facts(facts: dict) -> str:
    return (
        f"{facts['cpu']}, {facts['cores']} cores, {facts['memory_gib']} GiB, Linux {facts['kernel']}; "
        f"{facts['filesystem']}, fdatasync of 4 KiB p50 {facts['fdatasync_p50_us']} µs, "
        f"p99 {facts['fdatasync_p99_us']} µs; {facts['rustc']}, Node {facts['node']}, {facts['postgres']}; "
        f"{facts['rounds']} rounds, medians; load average at start {facts['load_average']:.2f}."
    )
