"""The registry of the workflow's steps: their states, results, redrives and retries.

The state machine (`statemachine/pipeline.asl.json`) repeats it in its own language, because it
can't read Python. Tests compare the two in both directions. They fail if a step is added in one
place only, or is missing from `ResumeAt`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = Mapping[str, Any]
"""The state document: the file's identity, and each step's result under the step's own name."""


@dataclass(frozen=True)
class Retry:
    """One retrier: the errors it matches, and the waits, in seconds, before each retry.

    The upper limit of the first wait is `interval`. It doubles with each retry, up to `longest`.
    Every wait is a random time between zero and its limit ("full jitter"), so that tasks that
    failed together are not retried together.
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
        """The mean of the sum of all waits, in seconds."""
        limits = (float(self.interval * 2**number) for number in range(self.attempts))
        return sum(min(limit, self.longest) for limit in limits) / 2


# Lambda has no capacity for another invocation: the account's or the function's concurrency limit
# is reached. That is a queue rather than a fault, so the workflow waits for about four hours. The
# state that fails and the four functions of the failure lane after it can all have to wait, and
# these waits must fit in the workflow's timeout of a day. A retry costs one state transition and
# three of the history's 25,000 events.
_THROTTLED = Retry(("Lambda.TooManyRequestsException",), interval=2, attempts=100, longest=300)
# The names that Step Functions gives to errors of the Lambda service itself.
# https://docs.aws.amazon.com/step-functions/latest/dg/sfn-best-practices.html#bp-lambda-serviceexception
_SERVICE_ERRORS = (
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.ClientExecutionTimeoutException",
)
_UNAVAILABLE = Retry((*_SERVICE_ERRORS, "TransientError"), interval=2, attempts=6, longest=60)
# The gate raises other steps' errors under their own names, including `TransientError`, which has
# already been retried. Names with a reserved prefix lose the prefix there (gate.py).
_UNAVAILABLE_TO_THE_GATE = Retry(_SERVICE_ERRORS, interval=2, attempts=6, longest=60)
# The execution environment ended before the function answered. One retry, because the cause can be
# that environment; only one, because a file that is too large for the function fails every time.
# A timeout has one of the first three names.
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
# S3 failed when the Map read its items or wrote its results. Retrying the former costs nothing. In
# the latter case the splits run again, and find their parts in place.
_UNAVAILABLE_TO_A_MAP = Retry(
    ("States.ItemReaderFailed", "States.ResultWriterFailed"), interval=5, attempts=3, longest=60
)
STEP_RETRIES = (_THROTTLED, _UNAVAILABLE, _INTERRUPTED)
"""Retriers of a Task that invokes a function. The first that matches an error applies."""
GATE_RETRIES = (_THROTTLED, _UNAVAILABLE_TO_THE_GATE, _INTERRUPTED)
"""Retriers of the failure gate."""
QUEUE_RETRIES = (Retry(("States.ALL",), interval=2, attempts=6, longest=60),)
"""Retriers of the Task that sends to the dead-letter queue."""
MAP_RETRIES = (_UNAVAILABLE_TO_A_MAP,)
"""Retriers of a Map state. The Tasks inside it have `STEP_RETRIES`."""


def _always(_document: Document) -> bool:
    return True


def is_superseded(document: Document) -> bool:
    """Whether the output of a later version of the file, or of a later attempt, is published.

    ParseCsv and WriteOutput find out. The file then continues at WriteOutput and RecordMetadata.
    """
    return any(document.get(name, {}).get("superseded_by") for name in ("parse", "output"))


def _is_current(document: Document) -> bool:
    return not is_superseded(document)


def _is_one_split(document: Document) -> bool:
    return _is_current(document) and bool(document["parse"]["splits"] == 1)


def _is_several_splits(document: Document) -> bool:
    return _is_current(document) and not _is_one_split(document)


def _is_misaligned(document: Document) -> bool:
    """Whether a split doesn't end at the end of a record and the file must be planned again."""
    return "misaligned" in document and _is_several_splits(document)


def _has_catalogue(document: Document) -> bool:
    return _is_current(document) and bool(document["summary"]["glue_database"])


@dataclass(frozen=True)
class Step:
    """A step that a file passes on its way to success.

    `state` is its name in the state machine, and `result` the name of its result in the state
    document. `applies` says whether a document comes to the step at all; it is called only if the
    results of the earlier steps are present. A step that `replaces` a result runs even if the
    result is present. `child` is the Task inside a Map state.

    A redrive of an execution that failed in a `resumable` step continues at that step. After a
    failure in any other step it continues at the last resumable step.

    The file succeeds without an `optional` step: the error becomes the step's result.
    """

    state: str
    result: str
    applies: Callable[[Document], bool] = _always
    replaces: bool = False
    resumable: bool = True
    retries: tuple[Retry, ...] = STEP_RETRIES
    child: str | None = None
    optional: bool = False

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
    # After ParseCsv, if the file is superseded: an interrupted attempt may have left something.
    Step("WriteOutput", "output"),
    Step("Summarize", "summary", applies=_is_current),
    Step("UpdateCatalogue", "catalogue", applies=_has_catalogue, optional=True),
    # The failure lane records the file as failed, so a redrive records the success again, no matter
    # which of these steps failed.
    Step("RecordMetadata", "record"),
    Step("Notify", "notification", resumable=False),
    Step("ArchiveSource", "archive", resumable=False),
)
"""All steps, in the order in which a document passes them."""

DONE = "Done"
"""The state in which a successful execution ends."""

LAST_RESUMABLE = max(number for number, step in enumerate(CHAIN) if step.resumable)
"""The index in `CHAIN` of the last step at which a redrive can continue."""

RESULTS = tuple(dict.fromkeys(step.result for step in CHAIN))
"""The names of all steps' results in the state document."""

REPEATED_RESULTS = frozenset(step.result for step in CHAIN[LAST_RESUMABLE:])
"""The results that a redrive drops, because their steps always run again."""

LANE_RESULTS = ("dead_letter", "notification", "record")
"""The failure lane's own results, inside `failure`. A part that failed leaves its error there."""

RETRIES: Mapping[str, tuple[Retry, ...]] = {
    **{step.state: step.retries for step in CHAIN},
    **{step.child: STEP_RETRIES for step in CHAIN if step.child},
    "SplitFailure": STEP_RETRIES,
    "SendToDeadLetterQueue": QUEUE_RETRIES,
    "NotifyFailure": STEP_RETRIES,
    "RecordFailure": STEP_RETRIES,
    "FailureGate": GATE_RETRIES,
}
"""The retriers of every Task and Map state, including the failure lane and the Maps' children."""


def failed_state(document: Document) -> str:
    """The state in which the document's execution failed, or `Done` if all results are present.

    It is the first state whose result is missing, because a Catch gives the error but not the
    state. The workflow's `ResumeAt` and `HowManySplits` choose in the same way.
    """
    return next((step.state for step in CHAIN if step.is_next(document)), DONE)
