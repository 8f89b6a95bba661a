"""The known differences between what must hold and what the engines show, each with a judgement.

docs/truth.md describes them for readers, and a test says so.
"""

from __future__ import annotations

from tests.truth.scenarios import LANE, SPLITS
from tests.truth.verdicts import Known

_EXCEEDED = {"error": "ExceedToleratedFailureThreshold"}

MINISTACK = (
    Known(
        "no result files of a Map",
        {"MeasureSplits fails": _EXCEEDED, "TransformSplits fails": _EXCEEDED},
        "MiniStack ignores a Map's ResultWriter, so SplitFailure finds no file with the error of"
        " the split, and keeps the Map's own error, as it should.",
    ),
    Known(
        "throttled is Lambda.Unknown",
        {"Summarize: throttle until its retries are used up": {"error": "Unknown"}},
        "MiniStack's interpreter takes the name of a failed Task's error from a field that its"
        " throttled invocations don't have. Step Functions documents"
        " Lambda.TooManyRequestsException.",
    ),
)

# What is left of a file whose splits have all failed, as the step behind the Map finds it.
_AFTER_FAILED_SPLITS = {"error": "InternalError"}
_NOT_RESUMED = {
    "status": "FAILED",
    "error": "InternalError",
    "dead_letters": 2,
    "notified": ("failed", "failed"),
    "output": "none",
}
_UNTIL_NUMBER_SPLITS = (*SPLITS[: SPLITS.index("NumberSplits") + 1], *LANE)

LOCALSTACK = (
    Known(
        "a Map with failed children succeeds",
        {
            "MeasureSplits fails": {
                **_AFTER_FAILED_SPLITS,
                "states": _UNTIL_NUMBER_SPLITS,
                "item": ("failed", "NumberSplits"),
            },
            "MeasureSplits fails: resumed": {
                **_NOT_RESUMED,
                "states": (
                    *("FailureGate", "ResumeAt", "IsSuperseded", "HowManySplits", "NumberSplits"),
                    *LANE,
                ),
                "item": ("failed", "NumberSplits"),
            },
            "TransformSplits fails": {
                **_AFTER_FAILED_SPLITS,
                "states": (*SPLITS, "WriteOutput", *LANE),
                "item": ("failed", "WriteOutput"),
            },
            "TransformSplits fails: resumed": {
                **_NOT_RESUMED,
                "states": ("FailureGate", "ResumeAt", "WriteOutput", *LANE),
                "item": ("failed", "WriteOutput"),
            },
        },
        "LocalStack counts a failed child, but neither a failed nor an aborted one ends the Map."
        " Step Functions documents States.ExceedToleratedFailureThreshold. The step behind the Map"
        " then finds no result of the splits, and publishes nothing.",
    ),
    Known(
        "unreadable items are States.Runtime",
        {
            "MeasureSplits finds no list of splits": {"error": "Runtime"},
            "TransformSplits finds no list of splits": {"error": "Runtime"},
            "SplitFailure fails": {"error": "Runtime"},
        },
        "LocalStack has no name for an error of an ItemReader. Step Functions documents"
        " States.ItemReaderFailed, and that nothing catches States.Runtime.",
    ),
)
