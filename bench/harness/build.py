"""Building what is measured beside Hallpass: the Rust tools, the Node peers, the preload shim."""

import os
import re
import subprocess
from pathlib import Path

from .process import BenchError

BENCH = Path(__file__).resolve().parent.parent
ROOT = BENCH.parent
OUT = BENCH / "out"
PEERS = BENCH / "peers"
STORE = ROOT / "crates" / "store" / "migrations"


def tools() -> Path:
    """Builds `load` and `bare`; the folder they are in."""
    target = Path(os.environ.get("CARGO_TARGET_DIR") or BENCH / "target")
    _run(["cargo", "build", "--release", "--locked", "--manifest-path", str(BENCH / "Cargo.toml")])
    return target.resolve() / "release"


def peers() -> None:
    """Installs the Node peers as their lockfile says, unless that is what is installed."""
    installed, wanted = PEERS / "node_modules" / ".package-lock.json", PEERS / "package-lock.json"
    if not installed.exists() or installed.stat().st_mtime < wanted.stat().st_mtime:
        _run(["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"], PEERS)


def shim() -> Path:
    """Compiles the preload shim."""
    library = OUT / "fsync4ms.so"
    source = BENCH / "preload" / "fsync4ms.c"
    _run(["cc", "-O2", "-Wall", "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"])
    return library


def messages_schema(engine: str) -> str:
    """The statements of the product's migrations that make the table `messages` and its indexes."""
    found = []
    for migration in sorted((STORE / engine).glob("*.sql")):
        statements = re.findall(
            r"^(?:CREATE TABLE messages \(.*?^\)[^;]*;|CREATE (?:UNIQUE )?INDEX \w+ ON messages [^;]*;"
            r"|ALTER TABLE messages [^;]*;)",
            migration.read_text(), re.MULTILINE | re.DOTALL,
        )
        found += statements
    if not found:
        raise BenchError(f"no table `messages` in the {engine} migrations of crates/store")
    return "\n".join(found) + "\n"


def _run(command: list[str], cwd: Path | None = None) -> None:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BenchError(f"`{' '.join(command[:3])}` failed: {done.stderr[-2000:]}")
