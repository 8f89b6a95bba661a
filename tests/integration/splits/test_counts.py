"""The model's counts are those of real executions on the embedded AWS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipectl.scale.assumptions import Assumptions
from pipectl.scale.deployed import Deployed, read_deployed
from pipectl.scale.load_model import Estimate, estimate, file_of
from tests.integration.splits.counting import FILES, SPLIT_SIZE

# It runs a separate stack, so that no other requests are counted.
pytestmark = pytest.mark.long

PROJECT = Path(__file__).parents[3]
ASSUMPTIONS = Assumptions()

# The embedded queue is polled without waiting, S3 notifies it inside the server, and the operator's
# own commands list executions: these are no requests of the pipeline, or not to be seen.
_NOT_COMPARED = {
    *("sqs:ReceiveMessage", "s3:Notification", "sns:Request", "cloudformation:Request"),
    *("states:DescribeExecution", "states:ListExecutions"),
}
CASES = {
    "small": (0.0, None),
    "small with rejects": (0.5, None),
    "splits with rejects": (0.02, None),
    "unreadable": (0.0, "ParseCsv"),
}


@pytest.fixture(scope="module")
def counted() -> dict[str, Any]:
    """The requests of each file, by name."""
    environment = {**os.environ, "PYTHONPATH": f"{PROJECT}{os.pathsep}{PROJECT / 'functions'}"}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "tests.integration.splits.counting"],
        env=environment,
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return dict(json.loads(done.stdout))


@pytest.fixture(scope="module")
def deployed() -> Deployed:
    """The stack that the files ran on."""
    return read_deployed(PROJECT / "template.yaml", {"SplitSizeBytes": str(SPLIT_SIZE)})


def modelled(deployed: Deployed, name: str) -> Estimate:
    """The model's estimate for a counted file."""
    rejected, fails_at = CASES[name]
    body = FILES[name]
    rows = max(1, body.count(b"\n") - 1)
    file = file_of(deployed, ASSUMPTIONS, size=len(body), rows=rows, rejected=rejected)
    return estimate(deployed, file, ASSUMPTIONS, fails_at=fails_at)


@pytest.mark.parametrize("name", CASES)
def test_states_and_events_are_those_of_the_history(
    counted: dict[str, Any], deployed: Deployed, name: str
) -> None:
    one = modelled(deployed, name)

    assert list(one.route.states) == counted[name]["states"]
    assert one.history_events == len(counted[name]["events"])


@pytest.mark.parametrize("name", CASES)
def test_requests_are_those_that_reached_the_server(
    counted: dict[str, Any], deployed: Deployed, name: str
) -> None:
    seen = {
        operation: count
        for operation, count in counted[name]["counts"].items()
        if count and not operation.startswith("lambda:") and operation not in _NOT_COMPARED
    }
    requests = modelled(deployed, name).requests

    assert {key: count for key, count in requests.items() if key not in _NOT_COMPARED} == seen


@pytest.mark.parametrize("name", CASES)
def test_invocations_are_those_of_the_lambda_service(
    counted: dict[str, Any], deployed: Deployed, name: str
) -> None:
    seen = {
        function: count
        for function, count in counted[name]["counts"].items()
        if function.startswith("lambda:")
    }
    invoked: Counter[str] = Counter()
    for one in modelled(deployed, name).invocations:
        invoked[f"lambda:{physical_name(one.function.logical_id)}"] += one.count

    assert invoked == seen


def test_a_failing_split_takes_the_path_of_the_model(
    counted: dict[str, Any], deployed: Deployed
) -> None:
    body = FILES["splits with rejects"]
    file = file_of(deployed, ASSUMPTIONS, size=len(body))
    one = estimate(deployed, file, ASSUMPTIONS, fails_at="TransformSplits")
    seen = counted["a split fails"]

    assert list(one.route.states) == seen["states"]
    assert one.requests["sqs:SendMessage"] == seen["counts"]["sqs:SendMessage"] == 1
    assert one.requests["sns:Publish"] == seen["counts"]["sns:Publish"] == 1
    assert one.requests["dynamodb:PutItem"] == seen["counts"]["dynamodb:PutItem"] == 1


def test_items_are_no_larger_than_the_model_assumes(counted: dict[str, Any]) -> None:
    sizes = [one["item_bytes"] for one in counted.values()]

    assert 0.5 * ASSUMPTIONS.item_bytes < max(sizes) <= ASSUMPTIONS.item_bytes


def physical_name(logical_id: str) -> str:
    """`ParseCsvFunction` runs as `data-pipeline-parse-csv-dev`."""
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in logical_id)
    return f"data-pipeline{words.removesuffix('-function')}-dev"
