"""What machine this is, as far as it matters; nothing that names it."""

import os
import platform
import statistics
import subprocess
import time
from pathlib import Path


def facts(work: Path) -> dict:
    """Facts for the head of the table. `work` is the folder that databases are put in."""
    sync = sync_micros(work)
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "kernel": platform.release(),
        "filesystem": _filesystem(work),
        "fdatasync_p50_us": round(statistics.median(sync)),
        "fdatasync_p99_us": round(statistics.quantiles(sync, n=100)[98]),
        "node": _version(["node", "--version"]),
        "rustc": _version(["rustc", "--version"]),
        "load_average": os.getloadavg()[0],
    }


def sync_micros(work: Path, count: int = 200) -> list[float]:
    """Microseconds of `count` appends of 4 KiB, each made durable."""
    path, took = work / "sync-probe", []
    with path.open("wb", buffering=0) as file:
        for _ in range(count):
            file.write(bytes(4096))
            begun = time.perf_counter()
            os.fdatasync(file.fileno())
            took.append((time.perf_counter() - begun) * 1e6)
    path.unlink()
    return took


def _cpu_model() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def _filesystem(path: Path) -> str:
    done = subprocess.run(["stat", "-f", "-c", "%T", str(path)], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def _version(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "not installed"
