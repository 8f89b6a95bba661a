"""Structured logs and metrics. Log lines have counts, codes and references, never cell values."""

from __future__ import annotations

import logging
import traceback
from functools import cache
from pathlib import PurePath

from aws_lambda_powertools import Logger, Metrics

# LogLevel applies to our own log lines only. Lambda sets the root logger to it as well, and at
# DEBUG botocore and urllib3 log every request with headers and body, which include a session token
# and records. The root logger's level covers libraries that are not named here.
LIBRARIES = ("boto3", "botocore", "s3transfer", "urllib3")
for _name in ("", *LIBRARIES):
    _library = logging.getLogger(_name)
    _library.setLevel(max(logging.WARNING, _library.getEffectiveLevel()))


# Created on first use, not at import: the service's name comes from the function's environment.
@cache
def logger() -> Logger:
    """The function's logger, which writes JSON lines with the step as the service's name."""
    return Logger(utc=True)


@cache
def metrics() -> Metrics:
    """The function's metrics, written to the log in CloudWatch's embedded metric format."""
    return Metrics()


def place_of(error: BaseException) -> str:
    """Where an error was raised, without its message: `folder/file.py:line:function`, ...

    It lists every frame from the one that caught the error to the innermost. A line that recurses
    is listed once, with the number of its calls.
    """
    places: list[str] = []
    counts: list[int] = []
    for frame in traceback.extract_tb(error.__traceback__):
        # Every step's file is named app.py, so the folder is part of the name.
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
