"""How `make build` runs the packages, on made-up packages and this Python."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from pipectl.embedded.workers import Function
from tests.infrastructure.packages_run import PackagedFunctions

TEMPLATE = """
Resources:
  NotifyFunction: {Type: AWS::Serverless::Function, Properties: {Handler: notify.handler}}
  TransformFunction:
    Type: AWS::Serverless::Function
    Properties: {Handler: transform.handler, Layers: [!Ref EngineLayer]}
"""


@pytest.fixture
def packaged(tmp_path: Path) -> PackagedFunctions:
    (tmp_path / "template.yaml").write_text(TEMPLATE)
    for folder in ("NotifyFunction", "TransformFunction", "layer", "runtime"):
        (tmp_path / folder).mkdir()
    (tmp_path / "layer" / "engine_library.py").write_text("")
    (tmp_path / "runtime" / "boto3.py").write_text("")
    return PackagedFunctions(
        Path(sys.executable), tmp_path, tmp_path / "layer", tmp_path / "runtime"
    )


def _run(packaged: PackagedFunctions, logical_id: str, module: str) -> object:
    name = logical_id.removesuffix("Function").lower()
    (packaged.build / logical_id / f"{name}.py").write_text(module)
    function = Function(
        name, f"arn:{name}", f"{name}.handler", Path(), 3.0, 128, {"OWN": "value"}, "/log"
    )
    return json.loads(packaged.invoke(function, b'{"n": 1}', "request").payload)


ECHO = "def handler(event, context): return [event, context.aws_request_id]\n"


def test_a_handler_runs_with_its_package_the_runtime_and_its_layer(
    packaged: PackagedFunctions,
) -> None:
    found = [
        _run(packaged, "NotifyFunction", f"import boto3\n{ECHO}"),
        _run(packaged, "TransformFunction", f"import boto3, engine_library\n{ECHO}"),
    ]

    assert found == [[{"n": 1}, "request"]] * 2
    assert list(packaged.problems()) == []


@pytest.mark.parametrize("module", ["engine_library", "aws_lambda_powertools", "shared.job"])
def test_what_is_installed_here_and_not_packaged_is_missing(
    packaged: PackagedFunctions, module: str
) -> None:
    _run(packaged, "NotifyFunction", f"import {module}\n{ECHO}")

    problem, other = packaged.problems()
    assert problem.startswith("NotifyFunction failed: ModuleNotFoundError: No module named")
    assert other == "TransformFunction was not invoked"


def test_a_process_that_dies_is_a_failure(packaged: PackagedFunctions) -> None:
    _run(packaged, "NotifyFunction", "import os\nos._exit(3)\n")

    assert next(packaged.problems()) == "NotifyFunction failed: Runtime.ExitError: "


def test_the_environment_is_the_functions_own(
    packaged: PackagedFunctions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THIS_PROCESS", "1")
    text = "import os\ndef handler(event, context): return sorted(os.environ)\n"

    found = _run(packaged, "NotifyFunction", text)

    assert isinstance(found, list)
    assert {"OWN", "LAMBDA_TASK_ROOT"} <= set(found)
    assert "OF_THIS_PROCESS" not in found
