"""Structured logs and metrics. Log counts, codes and references, never a cell's value."""

from __future__ import annotations

import logging
import traceback
from functools import cache
from pathlib import PurePath

from aws_lambda_powertools import Logger, Metrics

# LogLevel is for our own lines only. Lambda sets the root logger to it too, and at DEBUG botocore
# and urllib3 log every request with its headers and body, a session token and records among them.
# The root's own level is for libraries that are not named here.
LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3")
for _name in ("", *LIBRARIES):
    _library = logging.getLogger(_name)
    _library.setLevel(max(logging.WARNING, _library.getEffectiveLevel()))


# Made on first use, not at import: the service's name comes from the function's environment.
@cache
def logger() -> Logger:
    """The function's logger: JSON lines, with the service named after the step."""
    return Logger(utc=True)


@cache
def metrics() -> Metrics:
    """The function's metrics, written to the log in CloudWatch's embedded metric format."""
    return Metrics()


def place_of(error: BaseException) -> str:
    """Where an error was raised, without its words: `folder/file.py:line:function`, ...

    Every frame from the one that caught it to the innermost; a line that calls itself again is
    named once with the number of its calls.
    """
    places: list[str] = []
    counts: list[int] = []
    for frame in traceback.extract_tb(error.__traceback__):
        # Every step's file is called app.py, so its folder belongs to the name.
        file = "/".join(PurePath(frame.filename).parts[-2:])
        place = f"{file}:{frame.lineno}:{frame.name}"
        if places and places[-1] == place:
            counts[-1] += 1
        else:
            places.append(place)
            counts.append(1)
    named = [
        place if count == 1 else f"{place} ({count} times)"
        for place, count in zip(places, counts, strict=True)
    ]
    return ", ".join(named) or "an unknown place"
