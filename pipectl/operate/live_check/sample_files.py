"""The files that several checks look at; `Workspace.once` sends each only once."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipectl.client.metadata_items import MetadataItem
from pipectl.client.step_functions import DescribedExecution
from pipectl.errors import PipectlError
from pipectl.operate.live_check.endings import NotRunError
from pipectl.operate.live_check.workspace import Event, SentFile, Workspace
from shared.steps import CHAIN

NARROW_HEADER, NARROW_RECORD = b"id,amount\n", b"1234567,12.50\n"
# Long, because the output adds some hundred bytes to each record.
_LONG_HEADER, _LONG_RECORD = b"id,note\n", b"1234567," + b"n" * 247 + b"\n"
_GOOD_AND_BAD = b"id,name\n1,live\nx,rejected\n"
_FIELDS = [{"name": "id", "type": "integer"}, {"name": "name", "type": "string"}]

# Two splits, and something of a third.
_SPLITS = 2.1


@dataclass(frozen=True)
class EndedFile:
    """A file whose execution has ended, with its history and metadata item."""

    file: SentFile
    sent_at: float
    execution: DescribedExecution
    events: Sequence[Event]
    item: MetadataItem


@dataclass(frozen=True)
class RedrivenFile:
    """A file that failed, failed again after a redrive, and succeeded after another one.

    `first` and `second` are what the workflow left after the failures, `last` after the success.
    """

    first: EndedFile
    second: EndedFile
    dead_letters: Sequence[Any]
    last: EndedFile


def processed_file(bench: Workspace) -> EndedFile:
    """A file of one good and one bad record that succeeds."""
    dataset = bench.new_dataset(contract(maxRejectPercent=60))
    return sent_and_ended(bench, dataset, _GOOD_AND_BAD)


def redriven_file(bench: Workspace) -> RedrivenFile:
    """A file with too many rejected records, redriven twice: before and after a new contract."""
    dataset = bench.new_dataset(contract(maxRejectCount=0))
    first = sent_and_ended(bench, dataset, _GOOD_AND_BAD)
    second = redriven(bench, first, 1)
    if second.execution.status != "failed":
        raise PipectlError("the file did not fail again after a redrive that changed nothing")
    dead_letters = bench.wait_until(
        lambda: found if len(found := bench.dead_letters(first.file)) > 1 else None,
        "two dead letters",
    )
    bench.put_contract(dataset, contract(maxRejectCount=1))
    return RedrivenFile(first, second, dead_letters, redriven(bench, second, 2))


def split_file(bench: Workspace) -> EndedFile:
    """A file of several splits that succeeds."""
    started = time.time()
    return ended(bench, sent_splits(bench), started)


def failed_split_file(bench: Workspace) -> EndedFile:
    """A file of several splits that is deleted before all of them are read."""
    started = time.time()
    file = sent_splits(bench)
    bench.entered(file, next(step.state for step in CHAIN if step.child))
    bench.delete_source(file)
    if bench.ended(file).status == "succeeded":
        raise NotRunError("all splits were read before the file could be deleted")
    return ended(bench, file, started)


def sent_splits(bench: Workspace) -> SentFile:
    """Send a file of several splits."""
    size = round(int(bench.parameter("SplitSizeBytes")) * _SPLITS)
    return bench.send_large(bench.new_dataset(), _LONG_HEADER, _LONG_RECORD, size)


def one_split_file(bench: Workspace, header: bytes, record: bytes, size: int) -> EndedFile:
    """A file of integers of `size` bytes, or as large as one split may be in this stack.

    Transform works on blocks of a few megabytes, so a larger file would take no more memory.
    """
    size = min(int(bench.parameter("SplitSizeBytes")), size)
    names = header.decode().strip().split(",")
    fields = [{"name": name, "type": "integer"} for name in names]
    dataset = bench.new_dataset({"schema": {"fields": fields}})
    started = time.time()
    file = bench.send_large(dataset, header, record, size - 2 * len(record))
    return ended(bench, file, started)


def contract(**pipeline: Any) -> dict[str, Any]:
    """A contract for the fields `id` and `name`, with these settings of the pipeline."""
    return {"schema": {"fields": _FIELDS}, "pipeline": {"outputFormat": "jsonl", **pipeline}}


def sent_and_ended(bench: Workspace, dataset: str, content: bytes) -> EndedFile:
    """Send a file and wait for its outcome."""
    started = time.time()
    return ended(bench, bench.send(dataset, content), started)


def ended(bench: Workspace, file: SentFile, started: float) -> EndedFile:
    """Wait for the outcome of a file that was sent."""
    return _outcome(bench, file, started, 0)


def redriven(bench: Workspace, before: EndedFile, redrives: int) -> EndedFile:
    """Redrive a file's execution, and wait for the outcome of this redrive by its number."""
    started = time.time()
    bench.executions.redrive(before.execution.arn)
    return _outcome(bench, before.file, started, redrives)


def _outcome(bench: Workspace, file: SentFile, started: float, redrives: int) -> EndedFile:
    execution = bench.ended(file, redrives)
    item = bench.wait_until(
        lambda: (
            found if (found := bench.item(file)) and found["redrive_count"] == redrives else None
        ),
        "the metadata item",
    )
    return EndedFile(file, started, execution, bench.events(file), item)
