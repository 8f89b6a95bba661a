"""The scenarios that every engine runs: a file, a fault, and what must hold afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.end_to_end.samples import orders
from tests.truth.faults import GONE, LOSE_ITEMS, StepFault
from tests.truth.verdicts import Observation

SMALL = orders(200)
# Files that are larger than this are cut into splits; `LARGE` into two.
SPLIT_SIZE_BYTES = 64 * 1024
LARGE = orders(4_000)

# The states of a file that is one split, and of a larger one.
ONE_SPLIT = ("ParseCsv", "IsSuperseded", "HowManySplits", "Transform")
SPLITS = (*ONE_SPLIT[:-1], "MeasureSplits", "NumberSplits", "TransformSplits")
AFTER = (
    "WriteOutput",
    "IsOutputSuperseded",
    "Summarize",
    "HasCatalogue",
    "UpdateCatalogue",
    "RecordMetadata",
    "Notify",
    "ShouldArchive",
    "ArchiveSource",
    "Done",
)
LANE = (
    "DescribeFailure",
    "SendToDeadLetterQueue",
    "NotifyFailure",
    "RecordFailure",
    "FailureGate",
)


@dataclass(frozen=True)
class Scenario:
    """A file and the faults while it is processed; `resumed` is what must hold after a redrive.

    The faults are gone by then, and so are the results that the redrive is to `forget`.
    """

    name: str
    body: bytes
    expected: Observation
    faults: tuple[StepFault, ...] = ()
    resumed: Observation | None = None
    forget: tuple[str, ...] = ()


def scenarios() -> Iterator[Scenario]:
    """All scenarios."""
    yield Scenario("one split", SMALL, _succeeded((*ONE_SPLIT, *AFTER)))
    yield Scenario("two splits", LARGE, _succeeded((*SPLITS, *AFTER)))
    yield Scenario("an empty file", b"", _failed("ParseCsv", "EmptyFile", ("ParseCsv", *LANE)))
    yield Scenario(
        "NumberSplits catches a wrong boundary",
        LARGE,
        _succeeded(
            (*SPLITS[:5], "PlanOneSplit", "IsSuperseded", "HowManySplits", "Transform", *AFTER)
        ),
        (StepFault("NumberSplitsFunction", "MisalignedSplits"),),
    )
    yield Scenario(
        "PlanOneSplit fails",
        LARGE,
        _failed("PlanOneSplit", "SourceChanged", (*SPLITS[:5], "PlanOneSplit", *LANE)),
        (
            StepFault("NumberSplitsFunction", "MisalignedSplits"),
            StepFault("ParseCsvFunction", "SourceChanged", "for one split"),
        ),
        _succeeded(
            (
                "FailureGate",
                "ResumeAt",
                *("IsSuperseded", "HowManySplits", "PlanOneSplit"),
                *(*ONE_SPLIT[1:], *AFTER),
            ),
            dead_letters=1,
            notified=("failed", "succeeded"),
        ),
    )
    for state, function, resume in _STEPS_OF_ONE_SPLIT:
        yield _caught(state, function, resume, SMALL, (*ONE_SPLIT, *AFTER))
    for state, function, resume in _STEPS_OF_SPLITS:
        yield _caught(state, function, resume, LARGE, (*SPLITS, *AFTER))
    yield Scenario(
        "UpdateCatalogue fails, and the file succeeds",
        SMALL,
        _succeeded((*ONE_SPLIT, *AFTER)),
        (StepFault("UpdateCatalogueFunction", "SourceChanged"),),
    )
    yield from _lost_items()
    yield from _outdated()
    yield from _retried()
    yield from _lane()
    recorded = _caught(
        "RecordMetadata", "RecordMetadataFunction", "UpdateCatalogue", SMALL, (*ONE_SPLIT, *AFTER)
    )
    name = "RecordMetadata fails, and a redrive updates the catalogue first"
    yield replace(recorded, name=name, forget=("catalogue",))


# State, function, and the first state after ResumeAt.
_STEPS_OF_ONE_SPLIT = (
    ("ParseCsv", "ParseCsvFunction", "ParseCsv"),
    ("Transform", "TransformFunction", "IsSuperseded"),
    ("WriteOutput", "WriteOutputFunction", "WriteOutput"),
    ("Summarize", "SummarizeFunction", "IsOutputSuperseded"),
    ("RecordMetadata", "RecordMetadataFunction", "RecordMetadata"),
    ("Notify", "NotifyFunction", "RecordMetadata"),
    ("ArchiveSource", "ArchiveSourceFunction", "RecordMetadata"),
)
_STEPS_OF_SPLITS = (
    ("MeasureSplits", "MeasureSplitFunction", "IsSuperseded"),
    ("NumberSplits", "NumberSplitsFunction", "IsSuperseded"),
    ("TransformSplits", "TransformFunction", "IsSuperseded"),
)


def _caught(state: str, function: str, resume: str, body: bytes, path: tuple[str, ...]) -> Scenario:
    """A step fails, the lane runs, and a redrive continues there."""
    until = path[: path.index(state) + 1]
    split = ("SplitFailure",) if state in {"MeasureSplits", "TransformSplits"} else ()
    again = path[path.index(resume) :]
    if resume == "IsSuperseded":
        # HowManySplits goes on to the step whose result is missing.
        again = ("IsSuperseded", "HowManySplits", *path[path.index(state) :])
    notified = ("succeeded", "failed") if state == "ArchiveSource" else ("failed",)
    return Scenario(
        f"{state} fails",
        body,
        _failed(state, "SourceChanged", (*until, *split, *LANE), notified),
        (StepFault(function, "SourceChanged"),),
        _succeeded(
            ("FailureGate", "ResumeAt", *again),
            dead_letters=1,
            notified=tuple(sorted({*notified, "succeeded"})),
        ),
    )


def _lost_items() -> Iterator[Scenario]:
    """Maps that can't read the list of their items, after the retries for that."""
    for state, function in (
        ("MeasureSplits", "ParseCsvFunction"),
        ("TransformSplits", "NumberSplitsFunction"),
    ):
        until = SPLITS[: SPLITS.index(state) + 1]
        yield Scenario(
            f"{state} finds no list of splits",
            LARGE,
            _failed(state, "ItemReaderFailed", (*until, "SplitFailure", *LANE)),
            (StepFault(function, LOSE_ITEMS),),
        )


def _outdated() -> Iterator[Scenario]:
    """Steps that find the metadata item changed since it was recorded; it is recorded again."""
    for state, function in (
        ("Notify", "NotifyFunction"),
        ("ArchiveSource", "ArchiveSourceFunction"),
    ):
        until = AFTER[: AFTER.index(state) + 1]
        again = AFTER[AFTER.index("RecordMetadata") :]
        yield Scenario(
            f"{state} finds an outdated record",
            SMALL,
            _succeeded((*ONE_SPLIT, *until, *again)),
            (StepFault(function, "RecordOutdated", "before it is outdated"),),
        )


def _retried() -> Iterator[Scenario]:
    """Faults that use up the retries of a state."""
    for error, name in (("crash", "ExitError"), ("throttle", "TooManyRequestsException")):
        until = (*ONE_SPLIT, *AFTER[:3])
        yield Scenario(
            f"Summarize: {error} until its retries are used up",
            SMALL,
            _failed("Summarize", name, (*until, *LANE)),
            (StepFault("SummarizeFunction", error),),
        )
    # An error with which nothing that was planned can be kept starts the file over.
    yield Scenario(
        "WriteOutput finds too many rejects, and a redrive starts over",
        SMALL,
        _failed("WriteOutput", "TooManyRejects", (*ONE_SPLIT, "WriteOutput", *LANE)),
        (StepFault("WriteOutputFunction", "TooManyRejects"),),
        _succeeded(
            ("FailureGate", "ResumeAt", "StartOver", *ONE_SPLIT, *AFTER),
            dead_letters=1,
            notified=("failed", "succeeded"),
        ),
    )


def _lane() -> Iterator[Scenario]:
    """Parts of the failure lane that fail themselves; a later part still runs."""
    until = (*ONE_SPLIT, *AFTER[:3])
    failing = StepFault("SummarizeFunction", "SourceChanged")
    failed = _failed("Summarize", "SourceChanged", (*until, *LANE))
    yield Scenario(
        "SendToDeadLetterQueue fails",
        SMALL,
        replace(failed, dead_letters=0, not_done=("dead_letter",)),
        (failing, StepFault("DeadLetterQueue", GONE)),
    )
    yield Scenario(
        "NotifyFailure fails",
        SMALL,
        replace(failed, notified=(), not_done=("notification",)),
        (failing, StepFault("NotifyFunction", "SourceChanged", when="in the lane")),
    )
    yield Scenario(
        "FailureGate crashes",
        SMALL,
        replace(failed, error="Runtime.ExitError"),
        (failing, StepFault("FailureGateFunction", "crash")),
        _succeeded(
            ("FailureGate", "ResumeAt", *AFTER[1:]),
            dead_letters=1,
            notified=("failed", "succeeded"),
        ),
    )
    yield Scenario(
        "RecordFailure fails",
        SMALL,
        replace(failed, item=(), not_done=("record",)),
        (failing, StepFault("RecordMetadataFunction", "SourceChanged", when="in the lane")),
    )
    # Only the Map's own error is known then.
    measured = (*SPLITS[: SPLITS.index("MeasureSplits") + 1], "SplitFailure", *LANE)
    yield Scenario(
        "SplitFailure fails",
        LARGE,
        _failed("MeasureSplits", "ItemReaderFailed", measured),
        (
            StepFault("ParseCsvFunction", LOSE_ITEMS),
            StepFault("SplitFailureFunction", "SourceChanged"),
        ),
    )


def _succeeded(
    states: tuple[str, ...], *, dead_letters: int = 0, notified: tuple[str, ...] = ("succeeded",)
) -> Observation:
    return Observation("SUCCEEDED", "", states, ("succeeded",), dead_letters, notified, "complete")


def _failed(
    state: str, error: str, states: tuple[str, ...], notified: tuple[str, ...] = ("failed",)
) -> Observation:
    published = state in {"Summarize", "RecordMetadata", "Notify", "ArchiveSource"}
    return Observation(
        "FAILED",
        error,
        states,
        ("failed", state),
        1,
        tuple(sorted(notified)),
        "complete" if published else "none",
    )
