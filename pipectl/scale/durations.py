"""How long the functions run, computed from what they read, process and write."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.compose import COPIES_AT_ONCE, MIN_PIECE, plan_pieces
from shared.job import Location
from shared.storage import SMALL_READS

if TYPE_CHECKING:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.deployed import DeployedFunction
    from pipectl.scale.requests import FileProfile


@dataclass(frozen=True)
class Invocations:
    """A number of invocations of a function that take the same time."""

    function: DeployedFunction
    count: int
    seconds: float

    @property
    def gb_seconds(self) -> float:
        """Memory times time, which Lambda bills."""
        return self.count * self.seconds * self.function.memory_mb / 1024

    @property
    def storage_gb_seconds(self) -> float:
        """Ephemeral storage beyond the free part, times time."""
        return self.count * self.seconds * self.function.paid_storage_mb / 1024


def seconds_of(
    state: str, function: DeployedFunction, file: FileProfile, assumptions: Assumptions
) -> float:
    """The seconds of one invocation in a state; for a Map, the mean over its children.

    Transfer and work overlap, so only the longer of the two counts.
    """
    waits = _waits(state, file, assumptions)
    work = _work(state, file, assumptions) / function.processors
    transfer = _transferred(state, file) / assumptions.transfer_bytes_per_second
    return waits + assumptions.step_seconds / function.processors + max(work, transfer)


def _waits(state: str, file: FileProfile, assumptions: Assumptions) -> float:
    """Seconds of waiting for S3 and DynamoDB that don't overlap with work."""
    splits = len(file.splits)
    request = assumptions.request_seconds
    small_reads = request * max(1.0, splits / SMALL_READS)
    match state:
        case "ParseCsv" | "PlanOneSplit":
            return request * (4 + splits - 1)
        case "MeasureSplits":
            return request * 4
        case "Transform" | "TransformSplits":
            return request * (8 if splits > 1 else 4)
        case "NumberSplits" | "Summarize":
            return request * 2 + small_reads
        case "WriteOutput":
            return request * 4 + small_reads + _composing(file, assumptions)
        case _:
            return request * 2


def _transferred(state: str, file: FileProfile) -> float:
    """Bytes that one invocation reads from S3 or writes to it, whichever is more."""
    splits = len(file.splits)
    written = sum(file.output) + sum(file.rejected) + sum(file.corrections)
    match state:
        case "MeasureSplits":
            return file.size / splits
        case "Transform" | "TransformSplits":
            return max(file.size, written) / splits
        case _:
            return 0.0


def _work(state: str, file: FileProfile, assumptions: Assumptions) -> float:
    """Seconds of work on the file, on one whole processor."""
    splits = len(file.splits)
    match state:
        case "Transform" | "TransformSplits":
            return file.size / splits / assumptions.transform_bytes_per_second
        case "MeasureSplits":
            return file.size / splits / assumptions.measure_bytes_per_second
        case "Summarize":
            return splits * assumptions.merge_seconds
        case _:
            return 0.0


def _composing(file: FileProfile, assumptions: Assumptions) -> float:
    """Seconds that S3 takes to copy the parts, `COPIES_AT_ONCE` at a time."""
    seconds = 0.0
    for parts in (file.output, file.rejected, file.corrections):
        pieces = list(plan_pieces([Location("", "", None, "", size) for size in parts]))
        lanes = max(1, min(len(pieces), COPIES_AT_ONCE))
        joined = sum(len(piece.slices) for piece in pieces if len(piece.slices) > 1)
        requests = len(pieces) + joined
        # Small pieces take only their request.
        copied = sum(piece.length for piece in pieces if piece.length > MIN_PIECE)
        work = copied / assumptions.copy_bytes_per_second + requests * assumptions.request_seconds
        seconds += work / lanes
    return seconds
