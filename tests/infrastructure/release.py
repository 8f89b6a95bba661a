"""Collects what a release has, for `make release`: notes, wheel, SBOM and built stack.

The tag is in the variable TAG, such as `v1.2.3`. The wheel and the built stack exist already.
"""

from __future__ import annotations

import json
import os
import re
import sys
import tomllib
import zipfile
from pathlib import Path
from typing import Any

from tests.infrastructure.deployed import ROOT
from tests.infrastructure.distribution import build

DIST = ROOT / "dist"
BUILT = ROOT / ".aws-sam" / "build"
# What runs on AWS, and what an installed pipectl needs.
REQUIREMENTS = (
    "functions/requirements.txt",
    "layers/engine/requirements.txt",
    "requirements/run.txt",
)
_PINNED = re.compile(r"^([A-Za-z0-9][\w.-]*)(?:\[[^]]*\])?==([^ ;\\]+)", re.MULTILINE)
# The earliest time that a zip file can have: the same content gives the same file.
_NO_TIME = (1980, 1, 1, 0, 0, 0)


def version() -> str:
    """The project's version."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def notes(changelog: str, number: str) -> str:
    """A version's section of the changelog, without its heading. Raises LookupError without one."""
    found = re.search(
        rf"^## {re.escape(number)} - [0-9-]+\n+(.+?)(?=^## |\Z)",
        changelog,
        re.MULTILINE | re.DOTALL,
    )
    if found is None:
        raise LookupError(f"CHANGELOG.md has no section for {number}.")
    return found[1].rstrip() + "\n"


def sbom(number: str) -> dict[str, Any]:
    """The pinned packages as a CycloneDX 1.5 document, the same for the same commit."""
    used: dict[tuple[str, str], list[str]] = {}
    for name in REQUIREMENTS:
        for package in _PINNED.findall((ROOT / name).read_text(encoding="utf-8")):
            used.setdefault(package, []).append(name)
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {"type": "application", "name": "csv-step-pipeline", "version": number}
        },
        "components": [
            {
                "type": "library",
                "bom-ref": f"pkg:pypi/{name}@{pinned}",
                "name": name,
                "version": pinned,
                "purl": f"pkg:pypi/{name}@{pinned}",
                "properties": [{"name": "pinned in", "value": place} for place in places],
            }
            for (name, pinned), places in sorted(used.items())
        ],
    }


def zip_stack(built: Path, target: Path) -> None:
    """The built stack, samconfig.toml and key.yaml in one file: `sam deploy` there deploys it."""
    files = {path.relative_to(built): path for path in built.rglob("*") if path.is_file()}
    files |= {Path(name): ROOT / name for name in ("key.yaml", "samconfig.toml")}
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name.as_posix(), _NO_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = (0o755 if os.access(files[name], os.X_OK) else 0o644) << 16
            archive.writestr(entry, files[name].read_bytes())


def main() -> int:
    """Write everything into dist/; returns the exit status."""
    number, tag = version(), os.environ.get("TAG", "")
    if tag != f"v{number}":
        print(f"The tag {tag or '(none)'} is not v{number}, the version in pyproject.toml.")
        return 1
    if not (BUILT / "template.yaml").is_file():
        print("There is no built stack. Run `make build` first.")
        return 1
    DIST.mkdir(exist_ok=True)
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    (DIST / "notes.md").write_text(notes(changelog, number), encoding="utf-8")
    document = json.dumps(sbom(number), indent=2) + "\n"
    (DIST / "sbom.cdx.json").write_text(document, encoding="utf-8")
    build(DIST)
    zip_stack(BUILT, DIST / f"data-pipeline-{number}.zip")
    print("\n".join(sorted(path.name for path in DIST.iterdir())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
