"""The steps of the workflow: one registry of their states, results, redrives and retries.

The state machine (`statemachine/pipeline.asl.json`) says the same in its own language, because it
can't read Python. Tests compare the two in both directions, so a step that is added in one place
only, or that `ResumeAt` does not know, fails a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""The state document: the file's identity, and each step's result under the step's own name."""


@dataclass(frozen=True)
class Retry:
    """One retrier: the errors it matches, and the waits, in seconds, before each new attempt.

    The first wait is at most `interval`. Each further one may be twice as long, up to `longest`.
    Every wait is drawn between zero and that, so that what failed together is not retried together.
    """

    errors: tuple[str, ...]
    interval: int
    attempts: int
    longest: int

    def definition(self) -> dict[str, Any]:
        """The retrier in the Amazon States Language."""
        return {
            "ErrorEquals": list(self.errors),
            "IntervalSeconds": self.interval,
            "MaxAttempts": self.attempts,
            "BackoffRate": 2,
            "MaxDelaySeconds": self.longest,
            "JitterStrategy": "FULL",
        }

    @property
    def mean_seconds(self) -> float:
        """How long all waits take together, on average."""
        limits = (float(self.interval * 2**number) for number in range(self.attempts))
        return sum(min(limit, self.longest) for limit in limits) / 2


# Lambda has no room for another invocation: the account's limit or the function's own is reached.
# That is a queue, not a fault, so it is waited for, about four hours. The state that fails and the
# four functions of the failure lane after it may all have to wait, and must fit in the workflow's
# day. An attempt costs one state transition and three of the history's 25,000 events.
_THROTTLED = Retry(("Lambda.TooManyRequestsException",), interval=2, attempts=100, longest=300)
# The names that Step Functions gives to errors of Lambda itself.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
_SERVICE_ERRORS = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
)
_UNAVAILABLE = Retry((*_SERVICE_ERRORS, "TransientError"), interval=2, attempts=6, longest=60)
# The gate raises other steps' errors under their own names, `TransientError` among them: it would
# retry what has already been retried. Names with a reserved prefix lose it there (gate.py).
_UNAVAILABLE_TO_THE_GATE = Retry(_SERVICE_ERRORS, interval=2, attempts=6, longest=60)
# The environment ended before the function answered. Once more, since the next environment may be
# luckier, and no more, since a file that is too much for the function is so every time.
# A timeout appears under one of the first three names.
_INTERRUPTED = Retry(
    (
        "States.Timeout",
        "Sandbox.Timedout",
        "Lambda.Unknown",
        "Sandbox.Failure",
        "Runtime.ExitError",
        "Runtime.OutOfMemory",
        "Runtime.Unknown",
        "Function.Unknown",
    ),
    interval=5,
    attempts=1,
    longest=60,
)
# S3 did not give the Map its items, or did not take its results. The first costs nothing to repeat.
# After the second the splits run again, and find their parts there.
_UNAVAILABLE_TO_A_MAP = Retry(
    ("States.ItemReaderFailed", "States.ResultWriterFailed"), interval=5, attempts=3, longest=60
)
STEP_RETRIES = (_THROTTLED, _UNAVAILABLE, _INTERRUPTED)
"""Retriers of a Task that invokes a function. The first that matches an error counts."""
GATE_RETRIES = (_THROTTLED, _UNAVAILABLE_TO_THE_GATE, _INTERRUPTED)
"""Retriers of the failure gate."""
QUEUE_RETRIES = (Retry(("States.ALL",), interval=2, attempts=6, longest=60),)
"""Retriers of the Task that sends to the dead-letter queue."""
MAP_RETRIES = (_UNAVAILABLE_TO_A_MAP,)
"""Retriers of a Map state. Its children have those of a step."""


def _always(_document: Document) -> bool:
    return True


def _is_one_split(document: Document) -> bool:
    return bool(document["parse"]["splits"] == 1)


def _is_several_splits(document: Document) -> bool:
    return not _is_one_split(document)


def _is_misaligned(document: Document) -> bool:
    """Whether a split did not end on a record's end, and the file is not planned anew yet."""
    return "misaligned" in document and not _is_one_split(document)


@dataclass(frozen=True)
class Step:
    """A step that a file passes on its way to success.

    `state` is its name in the state machine, and `result` the name of its result in the state
    document. `applies` says whether a document comes to it at all; it is asked only when the
    results of the steps before are there. A step that `replaces` a result runs though there is one.
    `child` is the Task inside a Map state.

    A redrive of an execution that failed in a `resumable` step continues at that very step. After a
    failure in another one it continues at the last resumable step.
    """

    state: str
    result: str
    applies: Callable[[Document], bool] = _always
    replaces: bool = False
    resumable: bool = True
    retries: tuple[Retry, ...] = STEP_RETRIES
    child: str | None = None

    def is_next(self, document: Document) -> bool:
        """Whether a document that has all earlier steps' results comes to this step."""
        return self.applies(document) and (self.replaces or self.result not in document)


CHAIN = (
    Step("ParseCsv", "parse"),
    Step("PlanOneSplit", "parse", applies=_is_misaligned, replaces=True),
    Step(
        "MeasureSplits",
        "measure",
        applies=_is_several_splits,
        retries=MAP_RETRIES,
        child="MeasureSplit",
    ),
    Step("NumberSplits", "numbers", applies=_is_several_splits),
    Step(
        "TransformSplits",
        "transform",
        applies=_is_several_splits,
        retries=MAP_RETRIES,
        child="TransformSplit",
    ),
    Step("Transform", "transform", applies=_is_one_split),
    Step("WriteOutput", "output"),
    Step("Summarize", "summary"),
    # The failure lane records the file as failed, so a redrive records the success again, whichever
    # of these has failed.
    Step("RecordMetadata", "record"),
    Step("Notify", "notification", resumable=False),
    Step("ArchiveSource", "archive", resumable=False),
)
"""All steps, in the order in which a document comes to them."""

DONE = "Done"
"""The state that ends an execution in success."""

LAST_RESUMABLE = max(number for number, step in enumerate(CHAIN) if step.resumable)
"""The index in `CHAIN` of the last step at which a redrive can continue."""

RESULTS = tuple(dict.fromkeys(step.result for step in CHAIN))
"""The names of all steps' results in the state document."""

REPEATED_RESULTS = frozenset(step.result for step in CHAIN[LAST_RESUMABLE:])
"""The results that a redrive drops, because their steps run again in any case."""

LANE_RESULTS = ("dead_letter", "notification", "record")
"""The failure lane's own results, within `failure`. A part that failed leaves the error there."""

RETRIES: Mapping[str, tuple[Retry, ...]] = {
    **{step.state: step.retries for step in CHAIN},
    **{step.child: STEP_RETRIES for step in CHAIN if step.child},
    "SplitFailure": STEP_RETRIES,
    "SendToDeadLetterQueue": QUEUE_RETRIES,
    "NotifyFailure": STEP_RETRIES,
    "RecordFailure": STEP_RETRIES,
    "FailureGate": GATE_RETRIES,
}
"""The retriers of every Task and Map state, the failure lane's and the Maps' children included."""


def failed_state(document: Document) -> str:
    """The state in which a document's execution has failed, or `Done` where it has them all.

    That is the first state whose result is missing: Catch gives the error, not the state. The
    workflow's `ResumeAt` and `HowManySplits` choose alike.
    """
    return next((step.state for step in CHAIN if step.is_next(document)), DONE)
