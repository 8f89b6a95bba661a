"""Check what `sam build` made: sizes, contents and processor of each package.

Run as `python -m tests.infrastructure.packages`; exit status 1 where anything is wrong.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

from tests.infrastructure.deployed import ROOT

BUILD = ROOT / ".aws-sam" / "build"
MB = 1_000_000
# Lambda's limit on a function with its layers, unzipped.
MAX_WITH_LAYERS = 250 * MB
# boto3 comes with the runtime; what is beside it is powertools and the project's own code.
MAX_WITHOUT_LAYERS = 15 * MB
# In no package: what the runtime or the layer brings, and what only development needs.
FORBIDDEN = ("boto3", "botocore", "tests", "pytest", "moto")
ENGINE = ("polars", "orjson")

_ELF_MAGIC = b"\x7fELF"
_AARCH64 = (183).to_bytes(2, "little")  # e_machine, at byte 18 of the ELF header


def problems(build: Path) -> Iterator[str]:
    """All problems of the packages in a build folder, one sentence each."""
    resources = yaml_parse((build / "template.yaml").read_text(encoding="utf-8"))["Resources"]
    layers = {
        logical_id: size_of(build / logical_id)
        for logical_id, resource in resources.items()
        if resource["Type"] == "AWS::Serverless::LayerVersion"
    }
    for logical_id in layers:
        yield from _content_problems(build / logical_id / "python", required=ENGINE)
    for logical_id, resource in resources.items():
        if resource["Type"] == "AWS::Serverless::Function":
            yield from _function_problems(build / logical_id, resource["Properties"], layers)


def size_of(folder: Path) -> int:
    """Bytes of all files in a folder, as Lambda counts them: unzipped."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _function_problems(
    package: Path, properties: Mapping[str, Any], layers: Mapping[str, int]
) -> Iterator[str]:
    module = properties["Handler"].rpartition(".")[0].replace(".", "/")
    yield from _content_problems(
        package,
        required=(f"{module}.py", "shared/settings.py", "aws_lambda_powertools"),
        forbidden=(*FORBIDDEN, *ENGINE),
    )
    used = [layer["Ref"] for layer in properties.get("Layers", [])]
    size = size_of(package) + sum(layers[layer] for layer in used)
    limit = MAX_WITH_LAYERS if used else MAX_WITHOUT_LAYERS
    if size > limit:
        yield f"{package.name} has {size / MB:.1f} MB with layers, {limit // MB} are allowed"


def _content_problems(
    package: Path, *, required: tuple[str, ...], forbidden: tuple[str, ...] = FORBIDDEN
) -> Iterator[str]:
    name = package.relative_to(package.parents[1]) if package.name == "python" else package.name
    for entry in required:
        if not (package / entry).exists():
            yield f"{name} lacks {entry}"
    for entry in forbidden:
        if (package / entry).exists():
            yield f"{name} holds {entry}"
    for path in package.rglob("*"):
        if path.suffix == ".so" and not _is_arm64(path):
            yield f"{name}: {path.relative_to(package)} is not for arm64"
        if path.suffix == ".pyc" and not path.name.endswith(".cpython-313.pyc"):
            yield f"{name}: {path.relative_to(package)} is not byte code of Python 3.13"


def _is_arm64(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(20)
    return header.startswith(_ELF_MAGIC) and header[18:20] == _AARCH64


def main() -> int:
    """Print sizes and every problem; returns the exit status."""
    for package in sorted(path for path in BUILD.iterdir() if path.is_dir()):
        print(f"{package.name:24} {size_of(package) / MB:6.1f} MB unzipped")
    found = list(problems(BUILD))
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
