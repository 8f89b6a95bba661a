"""The check of the packages that `sam build` makes, on made-up packages."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.infrastructure import packages

TEMPLATE = """
Resources:
  EngineLayer: {Type: AWS::Serverless::LayerVersion}
  NotifyFunction: {Type: AWS::Serverless::Function, Properties: {Handler: notify.app.handler}}
  TransformFunction:
    Type: AWS::Serverless::Function
    Properties: {Handler: transform.app.handler, Layers: [!Ref EngineLayer]}
"""


@pytest.fixture
def build(tmp_path: Path) -> Path:
    """A build folder with nothing wrong."""
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    for file in (
        "EngineLayer/python/polars/__init__.py",
        "EngineLayer/python/orjson/__init__.py",
        "NotifyFunction/notify/app.py",
        "TransformFunction/transform/app.py",
    ):
        _write(tmp_path / file)
    for function in ("NotifyFunction", "TransformFunction"):
        _write(tmp_path / function / "shared/settings.py")
        _write(tmp_path / function / "aws_lambda_powertools/__init__.py")
    return tmp_path


def _write(path: Path, content: bytes = b"") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def _grow(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.truncate(size)


def test_a_sound_build_has_no_problems(build: Path) -> None:
    assert list(packages.problems(build)) == []


def test_a_function_without_the_engine_must_stay_small(build: Path) -> None:
    _grow(build / "NotifyFunction/large.bin", 16_000_000)
    assert list(packages.problems(build)) == [
        "NotifyFunction has 16.0 MB with layers, 15 are allowed"
    ]


def test_a_function_with_its_layer_must_stay_below_lambdas_limit(build: Path) -> None:
    _grow(build / "EngineLayer/python/polars/large.bin", 251_000_000)
    assert list(packages.problems(build)) == [
        "TransformFunction has 251.0 MB with layers, 250 are allowed"
    ]


@pytest.mark.parametrize("entry", ["boto3", "botocore", "tests", "polars"])
def test_what_others_bring_is_not_packaged(build: Path, entry: str) -> None:
    _write(build / "NotifyFunction" / entry / "__init__.py")
    assert list(packages.problems(build)) == [f"NotifyFunction holds {entry}"]


def test_a_handler_must_be_there(build: Path) -> None:
    (build / "NotifyFunction/notify/app.py").unlink()
    assert list(packages.problems(build)) == ["NotifyFunction lacks notify/app.py"]


def test_compiled_code_must_be_for_the_processor_that_runs_it(build: Path) -> None:
    x86_64 = b"\x7fELF" + bytes(14) + (62).to_bytes(2, "little")
    _write(build / "EngineLayer/python/polars/native.so", x86_64)
    assert list(packages.problems(build)) == [
        "EngineLayer/python: polars/native.so is not for arm64"
    ]


def test_byte_code_must_be_of_the_python_that_runs_it(build: Path) -> None:
    _write(build / "NotifyFunction/notify/__pycache__/app.cpython-311.pyc")
    assert list(packages.problems(build)) == [
        "NotifyFunction: notify/__pycache__/app.cpython-311.pyc is not byte code of Python 3.13"
    ]
