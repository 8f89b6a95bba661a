"""The metrics of the embedded stack, which its alarms watch and CloudWatch would count.

The functions' own metrics are in their logs, in CloudWatch's embedded metric format. Metric filters
count log lines.
"""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from pipectl.embedded import log_patterns

# Enough for the longest period of an alarm, and little memory.
_KEPT_POINTS = 100_000


class Datapoint(NamedTuple):
    """One value of a metric, at a time in seconds since 1970."""

    at: float
    namespace: str
    name: str
    dimensions: frozenset[tuple[str, str]]
    value: float


class Recorder:
    """Datapoints of AWS's own metrics, recorded as things happen. Safe to use from many threads."""

    def __init__(self) -> None:
        self._points: deque[Datapoint] = deque(maxlen=_KEPT_POINTS)
        self._lock = threading.Lock()

    def count(self, namespace: str, name: str, **dimensions: str) -> None:
        """Record that something happened once, now."""
        point = Datapoint(time.time(), namespace, name, frozenset(dimensions.items()), 1)
        with self._lock:
            self._points.append(point)

    def points(self) -> list[Datapoint]:
        """All datapoints so far."""
        with self._lock:
            return list(self._points)


def from_log(text: str) -> Iterator[Datapoint]:
    """The metrics in a log, one datapoint for each set of dimensions.

    https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
    """
    for line in _documents(text):
        about = line.get("_aws", {})
        for directive in about.get("CloudWatchMetrics", []):
            for names in directive["Dimensions"]:
                dimensions = frozenset((name, str(line[name])) for name in names)
                for metric in directive["Metrics"]:
                    for value in _values(line[metric["Name"]]):
                        yield Datapoint(
                            about["Timestamp"] / 1000,
                            directive["Namespace"],
                            metric["Name"],
                            dimensions,
                            value,
                        )


def from_filter(properties: Mapping[str, Any], text: str, at: float) -> Iterator[Datapoint]:
    """What a metric filter counts in a log, as of a time.

    `properties` are those of an AWS::Logs::MetricFilter whose pattern is one for JSON.
    """
    matches = log_patterns.compiled(properties["FilterPattern"])
    for line in _documents("\n".join(filter(matches, text.splitlines()))):
        for metric in properties["MetricTransformations"]:
            dimensions = frozenset(
                (it["Key"], str(line[it["Value"].removeprefix("$.")]))
                for it in metric.get("Dimensions", [])
            )
            value = float(metric["MetricValue"])
            yield Datapoint(at, metric["MetricNamespace"], metric["MetricName"], dimensions, value)


def _documents(text: str) -> Iterator[dict[str, Any]]:
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                document = json.loads(line)
            except ValueError:
                continue  # a line that is still being written
            if isinstance(document, dict):
                yield document


def _values(value: Any) -> Iterable[float]:
    return map(float, value) if isinstance(value, list) else [float(value)]
