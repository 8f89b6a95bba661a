"""Structured logs and metrics. Log counts, codes and references, never a cell's value."""

from __future__ import annotations

from functools import cache

from aws_lambda_powertools import Logger, Metrics


# Made on first use, not at import: the service's name comes from the function's environment.
@cache
def logger() -> Logger:
    """The function's logger: JSON lines, with the service named after the step."""
    return Logger(utc=True)


@cache
def metrics() -> Metrics:
    """The function's metrics, written to the log in CloudWatch's embedded metric format."""
    return Metrics()
