"""One file through the whole workflow on the embedded AWS, in one split and in several."""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipectl.client.stack_choice import Stack
from pipectl.client.step_functions import DescribedExecution, Executions
from pipectl.embedded.stack import EmbeddedStack
from tests.benchmarks.measure import measure
from tests.benchmarks.splits_recorder import CallRecorder

_ROOT = Path(__file__).resolve().parents[2]
_WAIT_SECONDS = 900
_READS = ("s3:GetObject", "s3:HeadObject", "s3:ListObjectsV2")
_COPIES = ("s3:CopyObject", "s3:UploadPartCopy")


@dataclass(frozen=True)
class SplitsRow:
    """One run: seconds of the execution, of its states, and of the S3 server's requests."""

    name: str
    seconds: float
    states: dict[str, float]
    reads: float = 0.0
    writes: float = 0.0
    copies: float = 0.0


def measure_workflow(
    source: Path, splits: Sequence[int], log: Callable[[str], None]
) -> list[SplitsRow]:
    """The engine alone in one process and in two, then the workflow with each number of splits."""
    rows = []
    for name, module in (
        ("engine alone", "whole_engine"),
        ("engine, 2 processes", "two_processes"),
    ):
        rows.append(_engine_alone(name, module, source))
        log(f"{name}: {rows[-1].seconds:.1f} s")
    for count in splits:
        rows.append(_workflow(source, count))
        log(f"{rows[-1].name}: {rows[-1].seconds:.1f} s")
    return rows


def workflow_table(size: int, rows: Sequence[SplitsRow]) -> str:
    """The rows as Markdown."""
    return "\n".join(
        [
            f"**{size / 1e6:.0f} MB through the whole workflow on the embedded AWS**; seconds",
            "",
            "| run | whole | MeasureSplits | Transform | WriteOutput | other states "
            "| S3 server: reads | writes | copies |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_table_row(row) for row in rows),
        ]
    )


def _engine_alone(name: str, module: str, source: Path) -> SplitsRow:
    contract = source.with_name("orders.contract.json")
    with tempfile.TemporaryDirectory(dir=source.parent) as out:
        run = measure(
            [
                *(sys.executable, "-m", "tests.benchmarks.worker"),
                *(module, str(source), str(contract), out),
            ],
            environment={"PYTHONPATH": f"{_ROOT}:{_ROOT / 'functions'}", "POLARS_MAX_THREADS": "1"},
        )
    return SplitsRow(name, run.seconds, {})


def _workflow(source: Path, splits: int) -> SplitsRow:
    split_size = -(-source.stat().st_size // splits)
    recorder = CallRecorder()
    with (
        recorder.recording(),
        EmbeddedStack(parameters={"SplitSizeBytes": str(split_size)}) as stack,
    ):
        bucket = stack.deployment.outputs["InputBucketName"]
        s3 = stack.deployment.client("s3")
        contract = source.with_name("orders.contract.json").read_bytes()
        s3.put_object(Bucket=bucket, Key="contracts/orders.json", Body=contract)
        with source.open("rb") as body:
            s3.put_object(Bucket=bucket, Key="raw/orders/orders.csv", Body=body)
        recorder.clear()
        executions = Executions(Stack(stack.deployment))
        execution = _ended(executions)
        run = executions.run(execution)
        found = stack.deployment.client("stepfunctions").describe_execution(
            executionArn=execution.arn
        )
        seconds = (found["stopDate"] - found["startDate"]).total_seconds()
        states = {state["name"]: state["duration_ms"] / 1000 for state in run.states()}
        if execution.status != "succeeded":
            raise RuntimeError(f"The execution ended as {execution.status}: {run.failure}")
    spent = {name: value for name, value in recorder.seconds.items() if name.startswith("s3:")}
    reads = sum(spent.get(name, 0.0) for name in _READS)
    copies = sum(spent.get(name, 0.0) for name in _COPIES)
    name = f"workflow, {splits} splits" if splits > 1 else "workflow, 1 split"
    return SplitsRow(name, seconds, states, reads, sum(spent.values()) - reads - copies, copies)


def _ended(executions: Executions) -> DescribedExecution:
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        for execution in executions.all():
            if execution.status != "running":
                return execution
        time.sleep(0.5)
    raise TimeoutError(f"The execution has not ended after {_WAIT_SECONDS} seconds.")


def _table_row(row: SplitsRow) -> str:
    if not row.states:
        return f"| {row.name} | {row.seconds:.1f} | | | | | | | |"
    measured = row.states.get("MeasureSplits", 0.0)
    transformed = row.states.get("Transform", 0.0) + row.states.get("TransformSplits", 0.0)
    written = row.states["WriteOutput"]
    other = sum(row.states.values()) - measured - transformed - written
    return (
        f"| {row.name} | {row.seconds:.1f} | {measured:.1f} | {transformed:.1f} | {written:.1f} "
        f"| {other:.1f} | {row.reads:.1f} | {row.writes:.1f} | {row.copies:.1f} |"
    )
