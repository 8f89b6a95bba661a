"""Checks of Step Functions: failures, redrives and Distributed Maps."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pipectl.client.history import FAILURE_LANE
from pipectl.errors import PipectlError
from pipectl.operate.live_check.endings import NotRunError
from pipectl.operate.live_check.model import Seen
from pipectl.operate.live_check.sample_files import (
    contract,
    failed_split_file,
    processed_file,
    redriven,
    redriven_file,
    sent_and_ended,
    sent_splits,
    split_file,
)
from pipectl.operate.live_check.workspace import SentFile, Workspace, scheduled_calls
from shared.compose import MIN_PIECE
from shared.keys import Work
from shared.steps import CHAIN

GATE = "FailureGate"
# With these, the functions log each step that is done.
INFO_LEVELS = ("DEBUG", "INFO")
_TRACE_SECONDS = 90.0
_EVENT_SECONDS = 60.0
_LONGEST_NAME = 60
_CHILD_FIELDS = {"ExecutionArn", "Name", "Input", "Status", "StartDate", "StopDate"}
_MAPS = [step.state for step in CHAIN if step.child]


def file_is_processed(bench: Workspace) -> Seen:
    """An upload reaches the workflow and becomes records, rejects and an item."""
    found = bench.once(processed_file)
    counts = {name: found.item.get(name) for name in ("processed_count", "error_count")}
    text = f"{found.item['status']}, {counts['processed_count']} processed"
    text += f", {counts['error_count']} rejected"
    right = found.item["status"] == "succeeded" and list(counts.values()) == [1, 1]
    states = [one["name"] for one in bench.executions.run(found.execution).states()]
    return Seen(text, right, {"counts": counts, "states": states})


def event_identifies_the_version(bench: Workspace) -> Seen:
    """S3's event has the version that was uploaded, and a sequencer."""
    found = bench.once(processed_file)
    same = found.item.get("source_version_id") == found.file.version_id
    sequencer = str(found.item.get("sequencer", "")).rstrip("0")
    text = f"{'the' if same else 'another'} version, sequencer of {len(sequencer)} characters"
    right = same and re.fullmatch("[0-9A-F]+", sequencer) is not None
    return Seen(text, right, {"same_version": same, "sequencer": sequencer})


def fresh_redrive_count(bench: Workspace) -> Seen:
    """The gate sees the count of the redrive in which it runs, not that of its first run."""
    found = bench.once(redriven_file)
    gate = [
        _redrives(given["Payload"]["execution"])
        for state, given in scheduled_calls(found.second.events)
        if state == GATE
    ]
    letters = [_redrives(one["failure"]["execution"]) for one in found.dead_letters]
    history = sorted(found.second.item["history"])
    text = f"the gate saw {_listed(gate)}; the dead letters say {_listed(letters)}"
    right = gate == [0, 1, 1] and letters == [0, 1] and history == ["1.0", "1.1"]
    kinds = [event["type"] for event in found.second.events if "Execution" in event["type"]]
    evidence = {"gate": gate, "dead_letters": letters, "history": history, "events": kinds}
    return Seen(text, right, evidence)


def failure_has_its_name(bench: Workspace) -> Seen:
    """The execution fails under the class name that the gate's exception has."""
    found = bench.once(redriven_file).first
    text = f"{found.execution.status} with {found.execution.error}"
    right = (found.execution.status, found.execution.error) == ("failed", "TooManyRejects")
    return Seen(text, right, {"error": found.execution.error, "cause": found.execution.cause})


def redrive_continues(bench: Workspace) -> Seen:
    """A redrive after the cause was removed lets the same execution succeed."""
    last = bench.once(redriven_file).last
    text = f"{last.execution.status} after {last.execution.redrive_count} redrives"
    right = (last.execution.status, last.item["status"]) == ("succeeded", "succeeded")
    return Seen(text, right, {"history": sorted(last.item["history"])})


def redriven_executions_have_events(bench: Workspace) -> Seen:
    """EventBridge reports every failure of an execution, those after a redrive included."""
    if bench.parameter("LogLevel") not in INFO_LEVELS:
        raise NotRunError("the log of the function `uncaught` has no INFO lines at this LogLevel")
    found = bench.once(redriven_file)
    name = found.first.file.file_id
    # By name: no state of the workflow invokes it.
    function = f"data-pipeline-uncaught-{bench.parameter('Environment')}"

    def look() -> list[str] | None:
        lines = bench.log_lines(function, f'"{name}"', found.first.sent_at - 5)
        ended = [str(line.get("message")) for line in lines if line.get("status") == "FAILED"]
        return ended if len(ended) > 1 else None

    try:
        lines = bench.wait_until(look, "the events of two failures", _EVENT_SECONDS)
    except PipectlError as error:
        return Seen(error.message, False)
    # More than two are right too: EventBridge delivers at least once.
    return Seen(f"{len(lines)} events for 2 failures", True, {"messages": lines})


def cause_arrives_whole(bench: Workspace) -> Seen:
    """Catch hands on the whole cause that a function's error has."""
    fields = [{"name": f"{n}\u00e9" * 20, "type": "\u00e9" * _LONGEST_NAME} for n in range(60)]
    dataset = bench.new_dataset({"schema": {"fields": fields}})
    found = sent_and_ended(bench, dataset, b"id\n1\n")
    thrown = [
        event["taskFailedEventDetails"].get("cause", "")
        for event in found.events
        if event["type"] == "TaskFailed"
    ]
    caught = [
        json.loads(event["stateEnteredEventDetails"]["input"])["failure"].get("Cause", "")
        for event in found.events
        if event.get("stateEnteredEventDetails", {}).get("name") == FAILURE_LANE
    ]
    if not thrown or not caught:
        return Seen("no cause in the history", False, {"error": found.execution.error})
    lengths = {"thrown": len(thrown[0]), "caught": len(caught[0])}
    text = f"{lengths['caught']:,} of {lengths['thrown']:,} characters"
    return Seen(text, thrown[0] == caught[0] and lengths["thrown"] > 4000, lengths)


def map_runs_its_children(bench: Workspace) -> Seen:
    """The children of a Distributed Map can assume the state machine's role."""
    found = bench.once(split_file)
    status = found.execution.status
    counts = {}
    for arn, described in _map_runs(bench, found.execution.arn).items():
        counts[arn.rpartition("/")[2]] = described["itemCounts"]["succeeded"]
    text = f"{status}, {sum(counts.values())} children in {len(counts)} Map Runs"
    right = status == "succeeded" and len(counts) == len(_MAPS) and min(counts.values()) > 1
    return Seen(text, right, {"succeeded_children": counts, "error": found.execution.error})


def map_results_have_their_layout(bench: Workspace) -> Seen:
    """The names of children, and the folders and fields of a Map Run's result files."""
    found = bench.once(split_file)
    machine = bench.stack.output("StateMachineArn").rpartition(":")[2]
    problems: list[str] = []
    files: list[str] = []
    for state in _MAPS:
        for key, content in _result_files(bench, found.file, state):
            files.append(re.sub(r"[0-9a-f-]{36}", "<map run>", key))
            problems += _odd(content, f":{machine}/{state}:") if "manifest" not in key else []
    wanted = {f"{state}/<map run>/{name}" for state in _MAPS for name in _RESULTS}
    if set(files) != wanted:
        problems.append(f"the files are {', '.join(sorted(set(files)))}")
    text = "; ".join(dict.fromkeys(problems)) or f"{len(files)} files as documented"
    return Seen(text, not problems, {"files": sorted(set(files))})


_RESULTS = ("manifest.json", "SUCCEEDED_0.json")


def failed_child_is_found(bench: Workspace) -> Seen:
    """A child's own error is in FAILED_0.json, and becomes the execution's error."""
    found = bench.once(failed_split_file)
    execution = found.execution
    failed = [
        (key, child)
        for state in _MAPS
        for key, content in _result_files(bench, found.file, state)
        if key.endswith("/FAILED_0.json")
        for child in content
    ]
    text = f"{execution.error}, {len(failed)} children in FAILED_0.json"
    names = sorted({str(child.get("Error")) for _, child in failed})
    right = execution.error == "SourceNotFound" and "SourceNotFound" in names
    fields = sorted({name for _, child in failed for name in child})
    return Seen(text, right, {"children": names, "fields": fields, "cause": execution.cause})


def redriven_map_starts_anew(bench: Workspace) -> Seen:
    """A Map whose failure was caught runs all its children again after a redrive."""
    failed = bench.once(failed_split_file)
    before = _map_runs(bench, failed.execution.arn)
    again = redriven(bench, failed, 1)
    runs = _map_runs(bench, again.execution.arn)
    added = [one for arn, one in runs.items() if arn not in before]
    continued = [one for one in runs.values() if one.get("redriveCount")]
    text = f"{len(added)} new Map Run, {len(continued)} redriven"
    counts = [one["itemCounts"] for one in added]
    evidence = {"before": len(before), "counts": counts, "error": again.execution.error}
    return Seen(text, (len(added), len(continued)) == (1, 0), evidence)


def _map_runs(bench: Workspace, execution: str) -> dict[str, Mapping[str, Any]]:
    """The Map Runs of an execution by their ARNs."""
    client = bench.stack.client("stepfunctions")
    found = client.list_map_runs(executionArn=execution)["mapRuns"]
    return {one["mapRunArn"]: client.describe_map_run(mapRunArn=one["mapRunArn"]) for one in found}


def stop_in_a_map(bench: Workspace) -> Seen:
    """An execution that is stopped in a Map leaves one dead letter, notification and failure."""
    started = time.time()
    file = sent_splits(bench)
    if not bench.entered(file, _MAPS[-1]):
        raise NotRunError(f"the execution left {_MAPS[-1]} before it could be stopped")
    arn = bench.executions.arn(file.file_id)
    bench.stack.client("stepfunctions").stop_execution(executionArn=arn, error="LiveCheck.Stopped")
    execution = bench.ended(file)
    if execution.status == "succeeded":
        raise NotRunError("the execution succeeded before it could be stopped")
    item = bench.wait_until(lambda: bench.item(file), "the failure's metadata item")
    bench.wait_until(lambda: bench.dead_letters(file) or None, "the dead letter")
    # A second one would come from a repeated event.
    bench.pause(1 if bench.stack.emulated else 10)
    letters = len(bench.dead_letters(file))
    sent = _notifications(bench, file, started)
    runs = bench.stack.client("stepfunctions").list_map_runs(executionArn=arn)["mapRuns"]
    text = f"{execution.status}, item {item['status']}, {letters} dead letter, {sent} notification"
    right = (execution.status, item["status"], letters, sent) == ("aborted", "failed", 1, 1)
    return Seen(text, right, {"map_runs": len(runs), "error": item.get("error", {}).get("code")})


def _notifications(bench: Workspace, file: SentFile, since: float) -> int:
    """How often the function that notifies has ended for this file."""
    if bench.parameter("LogLevel") not in INFO_LEVELS:
        raise NotRunError("the log of the function `notify` has no INFO lines at this LogLevel")
    function = f"data-pipeline-notify-{bench.parameter('Environment')}"

    def look() -> int | None:
        lines = bench.log_lines(function, f'"{file.file_id}"', since - 5)
        return sum(line.get("message") == "step done" for line in lines) or None

    return bench.wait_until(look, "the notification", _EVENT_SECONDS)


def trace_has_the_workflow(bench: Workspace) -> Seen:
    """Step Functions' segments reach X-Ray under the state machine's role."""
    if bench.stack.emulated:
        raise NotRunError("the embedded AWS has no X-Ray")
    found = bench.once(processed_file)
    described = bench.stack.client("stepfunctions").describe_execution(
        executionArn=found.execution.arn
    )
    header = dict(
        part.split("=", 1) for part in described.get("traceHeader", "").split(";") if part
    )
    if header.get("Sampled") != "1":
        raise NotRunError("X-Ray did not sample the execution; run this line again")

    def look() -> list[str] | None:
        answer = bench.stack.client("xray").batch_get_traces(TraceIds=[header["Root"]])
        documents = [
            json.loads(segment["Document"])
            for trace in answer["Traces"]
            for segment in trace["Segments"]
        ]
        origins = sorted({str(one.get("origin")) for one in documents})
        return origins if any("StepFunctions" in one for one in origins) else None

    origins = bench.wait_until(look, "a segment of Step Functions", _TRACE_SECONDS)
    return Seen(f"segments of {', '.join(origins)}", True, {"origins": origins})


def missing_version_is_404(bench: Workspace) -> Seen:
    """S3 answers a function 404 for a version that was deleted, as its role may list the bucket."""
    file = bench.send(bench.new_dataset(contract()), b"id,name\n1,a\n")
    bench.delete_source(file)
    execution = bench.ended(file)
    if execution.status == "succeeded":
        raise NotRunError("the file was read before it could be deleted; run this line again")
    text = f"{execution.error}"
    return Seen(text, execution.error == "SourceNotFound", {"cause": execution.cause})


def missing_contract_is_404(bench: Workspace) -> Seen:
    """S3 answers a function 404 for a missing object, as its role may list the bucket."""
    if bench.parameter("RequireContract") == "true":
        raise NotRunError("RequireContract is true: files without a contract fail in this stack")
    found = sent_and_ended(bench, bench.new_dataset(), b"id,name\n1,a\n")
    text = f"{found.item['status']} without a contract"
    return Seen(text, found.item["status"] == "succeeded", {"error": found.execution.error})


def untagged_objects_are_copied(bench: Workspace) -> Seen:
    """WriteOutput copies parts without rights to tags; ArchiveSource copies the upload."""
    found = bench.once(split_file)
    archives = bench.parameter("ArchiveSource") == "true"
    archived = bool(found.item.get("archive"))
    size = int(found.item.get("output_bytes") or 0)
    if size < 2 * MIN_PIECE:
        raise NotRunError("at this SplitSizeBytes the parts are too small to be copied by S3")
    text = f"{found.item['status']}, {size:,} bytes published"
    text += f", {'archived' if archived else 'not archived'}" if archives else ""
    right = found.item["status"] == "succeeded" and archived == archives
    return Seen(text, right, {"error": found.execution.error, "archives": archives})


def _redrives(execution: Mapping[str, Any]) -> int:
    return int(execution.get("RedriveCount") or 0)


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers)) or "nothing"


def _result_files(bench: Workspace, file: SentFile, state: str) -> Iterator[tuple[str, Any]]:
    """The result files of a Map state by `<state>/<map run id>/<name>`, and what is in them."""
    s3, bucket = bench.stack.client("s3"), bench.output_bucket
    prefix = Work(file.file_id, file.file_id).map_results(state)
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=f"{prefix}/")
    for page in pages:
        for one in page.get("Contents", []):
            body = s3.get_object(Bucket=bucket, Key=one["Key"])["Body"].read()
            yield f"{state}{one['Key'].removeprefix(prefix)}", json.loads(body)


def _odd(children: Sequence[Mapping[str, Any]], wanted: str) -> Iterator[str]:
    """What is not as expected in the children of a result file."""
    for child in children:
        lacking = _CHILD_FIELDS - child.keys()
        if lacking:
            yield f"a child has no {', '.join(sorted(lacking))}"
            continue
        name, arn = child["Name"], child["ExecutionArn"]
        if not arn.endswith(f"{wanted}{name}"):
            yield f"a child is {arn.replace(name, '<name>').rpartition(':execution')[2]}"
