"""What the figures were measured on."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import subprocess
from pathlib import Path

_PACKAGES = ("polars", "orjson", "pandas", "frictionless")


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
