"""The report of a failed file, made from what its last execution left.

Nothing in the pipeline needs another permission for it: whoever reads it can read the output
bucket's `work/` and the contract.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from pipectl.client.uploads import find_contract
from pipectl.errors import PipectlError
from pipectl.operate.details import ExecutionDetails
from pipectl.operate.find_rejects import find_rejects, read_lines
from pipectl.operate.next_step import next_step
from shared.errors import is_missing
from shared.job import iso
from shared.keys import Work, corrections_key

if TYPE_CHECKING:
    from pipectl.client.stack_choice import Stack
    from tabular.model import Contract

_REMOVE_THE_CAUSE = "Remove the cause, then rerun the file:"


def report_of(stack: Stack, found: ExecutionDetails) -> bytes:
    """The report of a file, HTML in UTF-8: the stored one, or of a failed file a new one.

    Raises `PipectlError` if the file has none: it is running or was superseded, or it was deleted.
    """
    item = found.item or {}
    own = item.get("execution_arn") == found.execution.arn
    if found.error is not None and not found.execution.running:
        return _failure_report(stack, found)
    if found.execution.running:
        raise PipectlError(f"{found.execution.name} is still running, so it has no report yet.")
    key = item.get("report_key")
    if not own or key is None:
        raise PipectlError(
            f"The execution {found.execution.name} has no report: it {found.execution.status},"
            " but the file's present outputs are not its own."
        )
    bucket = str(item["output_bucket"])
    try:
        body: bytes = stack.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    except ClientError as error:
        if is_missing(error):
            raise PipectlError(f"s3://{bucket}/{key} no longer exists.") from None
        raise
    return body


def write_report(stack: Stack, found: ExecutionDetails, path: Path) -> None:
    """Write the report to a file; raises `PipectlError` if it can't be written."""
    page = report_of(stack, found)
    try:
        path.write_bytes(page)
    except OSError as error:
        raise PipectlError(f"The report can't be written to {path}: {error.strerror}.") from error


def _failure_report(stack: Stack, found: ExecutionDetails) -> bytes:
    from data_report.failure import ReportedFailure, render_failure
    from tabular.reading.header import compare_columns

    failure, execution, source = found.error, found.execution, found.source
    if failure is None:
        raise AssertionError("only failed executions get here")
    item: Mapping[str, Any] = found.item or {}
    if item.get("execution_arn") != execution.arn:
        item = {}
    plan = _plan(stack, Work(source.file_id, execution.name))
    layout, labels = _layout(plan)
    contract, key, version = _contract(stack, source.dataset)
    if layout is not None:
        contract = layout.contract
        key, version = item.get("contract_key"), item.get("contract_version")
    step = next_step(found)
    lines, no_rejects = _rejects(stack, found)
    failed = ReportedFailure(
        file={
            "file_id": source.file_id,
            "attempt": execution.document.get("attempt", 1),
            "source": asdict(source),
            "contract_key": key,
            "contract_version": version or "null",
            **(layout.facts() if layout is not None else {}),
        },
        execution={"arn": execution.arn, "name": execution.name},
        started_at=iso(execution.started_at),
        failed_at=iso(execution.ended_at or execution.started_at),
        code=failure.code,
        message=failure.message,
        state=failure.state,
        records=_count(item, "record_count"),
        rejected=_count(item, "error_count"),
        rejected_lines=lines,
        no_rejects=no_rejects,
        limit_percent=layout.contract.max_reject_percent if layout is not None else None,
        shows_values=contract is None or contract.report_examples,
        columns=compare_columns(labels, contract) if contract is not None and labels else None,
        correction_key=corrections_key(source.dataset, source.file_id),
        next_step=_REMOVE_THE_CAUSE if step and step.command else step.text if step else None,
        next_command=step.command if step else None,
    )
    return render_failure(failed)


def _rejects(stack: Stack, found: ExecutionDetails) -> tuple[Iterable[bytes], str | None]:
    """The rejected records that the execution left, and why there are none, if that is known.

    Those of an earlier execution have been replaced by those of the last one.
    """
    if found.item is None or found.item.get("execution_arn") != found.execution.arn:
        return (), None
    try:
        return read_lines(stack, find_rejects(stack, found.source.file_id, "jsonl")), None
    except PipectlError as error:  # they have expired
        return (), error.message


def _plan(stack: Stack, work: Work) -> Mapping[str, Any]:
    """What ParseCsv found: the layout or, if the contract doesn't allow the header, the header."""
    try:
        found = stack.client("s3").get_object(
            Bucket=stack.output("OutputBucketName"), Key=work.plan
        )
    except ClientError as error:
        if is_missing(error):
            return {}
        raise
    plan: Mapping[str, Any] = json.loads(found["Body"].read())
    return plan


def _layout(plan: Mapping[str, Any]) -> tuple[Any, list[str]]:
    from tabular.reading.layout import Layout

    if "layout" not in plan:
        return None, list(plan.get("header", ()))
    layout = Layout.from_document(plan["layout"])
    return layout, list(layout.labels)


def _contract(stack: Stack, dataset: str) -> tuple[Contract | None, str | None, str | None]:
    """The dataset's present contract, its key and version; None if there is no valid one."""
    from tabular.contract.descriptor import read_contract
    from tabular.errors import InvalidContract
    from tabular.writing.output_formats import FORMATS

    try:
        key = find_contract(stack.deployment, dataset)
    except PipectlError:  # there are several, which is the file's error
        return None, None, None
    if key is None:
        return None, None, None
    answer = stack.client("s3").get_object(Bucket=stack.output("InputBucketName"), Key=key)
    version = answer.get("VersionId")
    try:
        contract = read_contract(answer["Body"].read(), output_formats=FORMATS)
    except InvalidContract:
        return None, key, version
    return contract, key, version


def _count(item: Mapping[str, Any], name: str) -> int | None:
    return int(item[name]) if item.get(name) is not None else None
