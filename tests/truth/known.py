"""The known differences between what must hold and what MiniStack shows, each with a judgement.

docs/truth.md describes them for readers, and a test says so.
"""

from __future__ import annotations

from tests.truth.verdicts import Known

MINISTACK = (
    Known(
        "no result files of a Map",
        "error",
        {
            "MeasureSplits fails": "ExceedToleratedFailureThreshold",
            "TransformSplits fails": "ExceedToleratedFailureThreshold",
        },
        "MiniStack ignores a Map's ResultWriter, so SplitFailure finds no file with the error of"
        " the split, and keeps the Map's own error, as it should.",
    ),
    Known(
        "throttled is Lambda.Unknown",
        "error",
        {"Summarize: throttle until its retries are used up": "Unknown"},
        "MiniStack's interpreter takes the name of a failed Task's error from a field that its"
        " throttled invocations don't have. Step Functions documents"
        " Lambda.TooManyRequestsException.",
    ),
)
