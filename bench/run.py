#!/usr/bin/env python3
"""Measures Hallpass beside its peers and prints one table. See README.md."""

import argparse
import json
import os
import shutil
import signal
import sys
import tempfile
import time
import traceback
from pathlib import Path

from harness import build, machine, postgres, report
from harness.hallpass import Hallpass
from harness.load import Load, Timing
from harness.process import BenchError
from harness.rows import ROWS as CHAT_ROWS
from harness.rows import Bench
from harness.sign_in_rows import ROWS as SIGN_IN_ROWS
from harness.table import Line, Table

ROWS = CHAT_ROWS | SIGN_IN_ROWS
FULL = Timing(rounds=5, measure_secs=3, first_warm_up_secs=3, warm_up_secs=0.5)
QUICK = Timing(rounds=2, measure_secs=1, first_warm_up_secs=1.5, warm_up_secs=0.3)


def main() -> int:
    options = arguments()
    if (os.cpu_count() or 1) < 2:
        sys.exit("bench: two cores are needed, one for the server and one for the load")
    binary = None if options.peers_only else options.binary.resolve()
    if binary and not binary.is_file():
        sys.exit(f"bench: no binary at {options.binary}; `make build` makes it, --peers-only does without")
    # Ends every server we started, as an exception does.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))

    build.OUT.mkdir(exist_ok=True)
    work = Path(tempfile.mkdtemp(prefix="hallpass-bench-", dir=options.work_dir))
    work.chmod(0o711)  # PostgreSQL, as its own user, has a folder in here.
    try:
        table = measure(options, binary, work)
    finally:
        if options.keep:
            print(f"bench: kept {work}", file=sys.stderr)
        else:
            shutil.rmtree(work, ignore_errors=True)

    (build.OUT / "results.json").write_text(json.dumps(table.record(), indent=1, ensure_ascii=False) + "\n")
    text = report.markdown(table)
    (build.OUT / "results.md").write_text(text + "\n")
    print(text)
    if table.failed():
        return 1
    return 2 if options.strict and table.missed() else 0


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--binary", type=Path, default=build.ROOT / "target" / "release" / "hallpass",
                        help="the Hallpass to measure")
    parser.add_argument("--peers-only", action="store_true", help="measure the peers without Hallpass")
    parser.add_argument("--quick", action="store_true", help="short windows, two rounds: for development")
    parser.add_argument("--only", default=",".join(ROWS), metavar="ROWS", help="some of: %(default)s")
    parser.add_argument("--rounds", type=int, help="measure every contender so often")
    parser.add_argument("--strict", action="store_true", help="exit with 2 when a target is missed")
    parser.add_argument("--work-dir", type=Path, help="put databases here (default: the system's temporary folder)")
    parser.add_argument("--keep", action="store_true", help="keep databases and logs")
    options = parser.parse_args()
    options.only = options.only.split(",")
    if unknown := [row for row in options.only if row not in ROWS]:
        parser.error(f"unknown rows {', '.join(unknown)}; there are {', '.join(ROWS)}")
    return options


def measure(options: argparse.Namespace, binary: Path | None, work: Path) -> Table:
    say("building the tools")
    tools = build.tools()
    if {"mint", *SIGN_IN_ROWS} & set(options.only):
        build.peers()
    timing = QUICK if options.quick else FULL
    if options.rounds:
        timing = Timing(options.rounds, timing.measure_secs, timing.first_warm_up_secs, timing.warm_up_secs)
    bench = Bench(tools, Load(tools / "load"), work, timing, options.quick,
                  Hallpass(binary, work) if binary else None)
    facts = machine.facts(work) | {"rounds": timing.rounds, "quick": options.quick, "postgres": postgres_version()}
    table = Table(facts)
    if facts["filesystem"] in ("tmpfs", "ramfs"):
        table.lines.append(Line("databases", "in memory", error="an fsync costs nothing there; name another --work-dir"))
    for name in options.only:
        say(name)
        begun = time.monotonic()
        try:
            table.lines += ROWS[name](bench)
        except Exception as error:
            # The other rows are worth having; this one says why it is missing, and the run fails.
            if not isinstance(error, BenchError):
                traceback.print_exc()
            table.lines.append(Line(name, "", error=str(error) or repr(error)))
        say(f"{name} took {time.monotonic() - begun:.0f} s")
    return table


def postgres_version() -> str:
    try:
        return postgres.version()
    except BenchError:
        return "no PostgreSQL"


def say(text: str) -> None:
    print(f"bench: {text}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
