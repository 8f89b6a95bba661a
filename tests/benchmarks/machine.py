"""The machine and the versions with which the figures were measured."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import resource
import shutil
import subprocess
import time
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
_PACKAGES = ("polars", "orjson", "duckdb", "pyarrow", "pandas", "frictionless")


def facts() -> dict[str, str]:
    """Processor, memory, operating system, and the versions of all that takes part."""
    memory = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    versions = [f"{name} {version}" for name in _PACKAGES if (version := _version(name))]
    return {
        "processor": f"{_processor()}, {os.cpu_count()} cores",
        "memory": f"{memory:.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": ", ".join([*versions, *_miller()]),
    }


class OtherWork:
    """Reports how busy the machine was with other things than the benchmark's own processes."""

    def __init__(self) -> None:
        self._begun = self._now()

    def cores(self) -> float:
        """The processors that were busy with other things on average since the beginning."""
        seconds, busy, own = (
            now - then for now, then in zip(self._now(), self._begun, strict=True)
        )
        return max(busy - own, 0.0) / seconds

    def _now(self) -> tuple[float, float, float]:
        """Seconds of wall time, of busy processors, and of this process and its ended children."""
        user, nice, system, _, _, interrupts, soft, steal = (
            int(ticks) / _TICKS
            for ticks in Path("/proc/stat").read_text().split("\n")[0].split()[1:9]
        )
        own = sum(
            usage.ru_utime + usage.ru_stime
            for usage in map(resource.getrusage, (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
        )
        return time.monotonic(), user + nice + system + interrupts + soft + steal, own


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str | None:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _miller() -> list[str]:
    path = shutil.which("mlr")
    if not path:
        return []
    shown = subprocess.run([path, "--version"], capture_output=True, text=True, check=True)
    return [shown.stdout.strip().replace("mlr", "miller")]
