"""Checks of Lambda: memory, timeouts, throttling, log levels and packages."""

from __future__ import annotations

import gzip
import json
import time
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from pipectl.client.aws_errors import explain
from pipectl.errors import PipectlError
from pipectl.operate.live_check.endings import NotRunError
from pipectl.operate.live_check.model import Seen
from pipectl.operate.live_check.sample_files import (
    NARROW_HEADER,
    NARROW_RECORD,
    EndedFile,
    contract,
    ended,
    one_split_file,
    processed_file,
    sent_and_ended,
)
from pipectl.operate.live_check.workspace import MIB, Workspace, scheduled_calls
from shared.errors import error_code
from shared.steps import STEP_RETRIES

_WIDE_COLUMNS = 2_000
_REPORT_SECONDS = 60.0
_METRIC_SECONDS = 60.0
_THROTTLED_FILES = 12
# More than a second of work. Up to 64 MiB, a gzip file may expand to any number of times its size.
_SLOW_RECORDS = 4_000_000
_THROTTLED_RECORDS = 2_000_000
# The first and one retry.
_ATTEMPTS = 2
_THROTTLED = "Lambda.TooManyRequestsException"
_RETRIED = {name for retry in STEP_RETRIES for name in retry.errors}


def narrow_file(bench: Workspace) -> EndedFile:
    """Short records, all of them good."""
    return one_split_file(bench, NARROW_HEADER, b"1234567,7\n", 32 * MIB)


def wide_file(bench: Workspace) -> EndedFile:
    """Records of many columns."""
    names = ",".join(f"c{number}" for number in range(_WIDE_COLUMNS))
    record = b",".join([b"1"] * _WIDE_COLUMNS) + b"\n"
    return one_split_file(bench, f"{names}\n".encode(), record, 16 * MIB)


def rejected_file(bench: Workspace) -> EndedFile:
    """Records that are all rejected."""
    return one_split_file(bench, NARROW_HEADER, b"rejected,rejected\n", 16 * MIB)


def memory_used(file: Callable[[Workspace], EndedFile]) -> Callable[[Workspace], Seen]:
    """A check that a file leaves a fifth of the memory of Transform and Summarize free."""
    return partial(_memory_used, file)


def _memory_used(file: Callable[[Workspace], EndedFile], bench: Workspace) -> Seen:
    if bench.stack.emulated:
        raise NotRunError("the embedded AWS's reports don't say how much memory was used")
    found = bench.once(file)
    if found.item["status"] != "succeeded":
        return Seen(f"{found.item['status']} with {found.execution.error}", False)
    used, share = {}, 0.0
    for state in ("Transform", "Summarize"):
        metrics = _report(bench, found, state)
        used[state] = {name: metrics[name] for name in ("maxMemoryUsedMB", "memorySizeMB")}
        share = max(share, metrics["maxMemoryUsedMB"] / metrics["memorySizeMB"])
    text = ", ".join(
        f"{state} {one['maxMemoryUsedMB']} of {one['memorySizeMB']} MB"
        for state, one in used.items()
    )
    return Seen(text, share <= 0.8, {**used, "bytes": found.item.get("source_bytes")})


def _report(bench: Workspace, found: EndedFile, state: str) -> dict[str, Any]:
    """The metrics of Lambda's own report about the invocation of a state."""
    request = _request_of(found, state)
    function = bench.function(state, list(found.events))
    pattern = f'{{ $.type = "platform.report" && $.record.requestId = "{request}" }}'

    def look() -> dict[str, Any] | None:
        lines = bench.log_lines(function, pattern, found.sent_at - 5)
        return dict(lines[0]["record"]["metrics"]) if lines else None

    return bench.wait_until(look, f"the report of {state}", _REPORT_SECONDS)


def _request_of(found: EndedFile, state: str) -> str:
    entered = ""
    for event in found.events:
        entered = event.get("stateEnteredEventDetails", {}).get("name", entered)
        output = event.get("taskSucceededEventDetails", {}).get("output")
        if output and entered == state:
            return str(json.loads(output)["SdkResponseMetadata"]["RequestId"])
    raise PipectlError(f"the history has no request ID of {state}")


def timed_out_file(bench: Workspace) -> EndedFile:
    """A file for which Transform has not enough time, although it is tried twice."""
    function = _function_of(bench, "Transform")
    dataset = bench.new_dataset()
    started = time.time()
    # A compressed file is one split, whatever SplitSizeBytes is.
    content = gzip.compress(NARROW_HEADER + NARROW_RECORD * _SLOW_RECORDS, compresslevel=1)
    with bench.setting(function, Timeout=1):
        found = ended(bench, bench.send(dataset, content, "live-check.csv.gz"), started)
    if len(_failures(found)) < 2:
        raise NotRunError("the function did not time out")
    return found


def _failures(found: EndedFile) -> list[Mapping[str, Any]]:
    """The failed calls of functions. The gate fails last, with the name that it raises."""
    return [
        event["taskFailedEventDetails"] for event in found.events if event["type"] == "TaskFailed"
    ]


def timeout_has_its_name(bench: Workspace) -> Seen:
    """A function's timeout has a name that the workflow retries."""
    failures = _failures(bench.once(timed_out_file))
    names = [str(one.get("error")) for one in failures[:-1]]
    text = f"{', '.join(dict.fromkeys(names))}, {len(names)} attempts"
    causes = [str(one.get("cause"))[:200] for one in failures]
    right = set(names) <= _RETRIED and len(names) == _ATTEMPTS
    return Seen(text, right, {"errors": names, "causes": causes})


def retries_are_counted(bench: Workspace) -> Seen:
    """A function's payload has the number of its state's retries."""
    found = bench.once(timed_out_file)
    counts = [
        given["Payload"].get("retry_count")
        for state, given in scheduled_calls(found.events)
        if state == "Transform"
    ]
    text = f"Transform saw {', '.join(map(str, counts))}"
    return Seen(text, counts == list(range(_ATTEMPTS)), {"counts": counts})


def throttled_files_succeed(bench: Workspace) -> Seen:
    """Files that are throttled wait for their turn."""
    if bench.stack.emulated:
        raise NotRunError("the embedded AWS doesn't change reserved concurrency while it runs")
    client, function = bench.stack.client("lambda"), _function_of(bench, "Transform")
    before = client.get_function_concurrency(FunctionName=function).get(
        "ReservedConcurrentExecutions"
    )
    reserve = partial(client.put_function_concurrency, FunctionName=function)

    def restore() -> None:
        if before is None:
            client.delete_function_concurrency(FunctionName=function)
        else:
            reserve(ReservedConcurrentExecutions=before)

    values = {"ReservedConcurrentExecutions": before}
    with bench.restoring(f"the reserved concurrency of {function}", values, restore):
        try:
            reserve(ReservedConcurrentExecutions=2)
        except ClientError as error:
            if error_code(error) != "InvalidParameterValueException":
                raise
            raise NotRunError(f"the account has too few executions: {explain(error)}") from None
        dataset = bench.new_dataset(contract(maxRejectPercent=60))
        content = gzip.compress(b"id,name\n" + b"1,live\n" * _THROTTLED_RECORDS, compresslevel=1)
        files = [
            bench.send(dataset, content, f"live-check-{number}.csv.gz")
            for number in range(_THROTTLED_FILES)
        ]
        statuses = Counter(bench.ended(file).status for file in files)
    throttled = sum(
        event.get("taskFailedEventDetails", {}).get("error") == _THROTTLED
        for file in files
        for event in bench.events(file)
    )
    if not throttled:
        raise NotRunError("no invocation was throttled")
    text = f"{statuses['succeeded']} of {len(files)} succeeded, {throttled} throttled invocations"
    return Seen(text, statuses == {"succeeded": len(files)}, {"statuses": statuses})


def metrics_pass_log_level(bench: Workspace) -> Seen:
    """Lambda keeps metrics in the log, however high the minimum log level is."""
    if bench.stack.emulated:
        raise NotRunError("the embedded AWS doesn't filter log lines by their level")
    function = _function_of(bench, "RecordMetadata")
    client = bench.stack.client("lambda")
    present = client.get_function_configuration(FunctionName=function)["LoggingConfig"]
    warn = {**present, "ApplicationLogLevel": "WARN"}
    with bench.setting(function, LoggingConfig=warn) as before:
        found = sent_and_ended(bench, bench.new_dataset(contract()), b"id,name\n1,a\n")

        def look() -> list[Any] | None:
            lines = bench.log_lines(function, "{ $._aws.Timestamp = * }", found.sent_at)
            return lines or None

        try:
            lines = bench.wait_until(look, "a metric in the log", _METRIC_SECONDS)
        except PipectlError as error:
            return Seen(error.message, False, {"restored": before})
    return Seen(f"{len(lines)} metrics at WARN", True, {"restored": before})


def packages_run_on_arm64(bench: Workspace) -> Seen:
    """The functions' packages are for the processor and the Python that the functions have."""
    if bench.stack.emulated:
        raise NotRunError("functions of the embedded AWS run on this machine's processor")
    found = bench.once(processed_file)
    functions = sorted({arn.split(":")[6] for arn in _functions(found).values()})
    client = bench.stack.client("lambda")
    kinds: Counter[str] = Counter()
    for name in functions:
        one = client.get_function_configuration(FunctionName=name)
        kinds[f"{one['Runtime']} on {', '.join(one['Architectures'])}"] += 1
    text = f"{found.item['status']}; {len(functions)} functions: {', '.join(sorted(kinds))}"
    right = found.item["status"] == "succeeded" and list(kinds) == ["python3.13 on arm64"]
    return Seen(text, right, {"functions": kinds})


def _functions(found: EndedFile) -> dict[str, str]:
    from pipectl.client.links import functions_of

    return functions_of(found.events)


def _function_of(bench: Workspace, state: str) -> str:
    return bench.function(state, list(bench.once(processed_file).events))
