"""Evaluates the stack's alarms over the metrics of the embedded AWS, as CloudWatch does.

It is an emulation for one moment: every evaluation period of an alarm is taken to be like the last
one, so an alarm that waits for three periods is raised after the first.
"""

from __future__ import annotations

import ast
import json
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipectl.embedded.metrics import Datapoint
from pipectl.embedded.template import ACCOUNT, REGION

Properties = Mapping[str, Any]

_STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Sum": sum,
    "Maximum": max,
    "Average": lambda values: sum(values) / len(values),
}
_OPERATORS: Mapping[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


@dataclass(frozen=True)
class Evaluation:
    """An alarm's state: `ALARM` or `OK`, and the value that it is from; None without datapoints."""

    state: str
    value: float | None

    @property
    def reason(self) -> str:
        """Why, in words like CloudWatch's."""
        if self.value is None:
            return "No datapoints were received, and missing data is treated as not breaching."
        return f"1 datapoint [{self.value:g}] was evaluated."


def evaluate(alarm: Properties, points: Sequence[Datapoint], now: float) -> Evaluation:
    """The state of an AWS::CloudWatch::Alarm, given by its resolved properties, at a time.

    Raises `KeyError` or `ValueError` for what is not emulated.
    """
    if alarm["ComparisonOperator"] != "GreaterThanOrEqualToThreshold":
        raise ValueError(alarm["ComparisonOperator"])
    if "Metrics" in alarm:
        value = _of_expression(alarm["Metrics"], points, now)
    else:
        value = _of_metric(alarm, alarm["Statistic"], int(alarm["Period"]), points, now)
    is_breaching = value is not None and value >= float(alarm["Threshold"])
    return Evaluation("ALARM" if is_breaching else "OK", value)


def message(alarm: Properties, evaluation: Evaluation, before: str) -> tuple[str, str]:
    """Subject and message that CloudWatch publishes for a new state."""
    name = alarm["AlarmName"]
    document = {
        "AlarmName": name,
        "AlarmDescription": alarm["AlarmDescription"],
        "AWSAccountId": ACCOUNT,
        "NewStateValue": evaluation.state,
        "NewStateReason": evaluation.reason,
        "StateChangeTime": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "Region": REGION,
        "OldStateValue": before,
    }
    return f'{evaluation.state}: "{name}" in {REGION}', json.dumps(document)


def _of_metric(
    metric: Properties, statistic: str, period: int, points: Sequence[Datapoint], now: float
) -> float | None:
    dimensions = frozenset((it["Name"], str(it["Value"])) for it in metric["Dimensions"])
    wanted = (metric["Namespace"], metric["MetricName"], dimensions)
    values = [
        point.value
        for point in points
        if (point.namespace, point.name, point.dimensions) == wanted
        and now - period <= point.at <= now
    ]
    return _STATISTICS[statistic](values) if values else None


def _of_expression(
    metrics: Sequence[Properties], points: Sequence[Datapoint], now: float
) -> float | None:
    values = {
        it["Id"]: _of_metric(
            it["MetricStat"]["Metric"],
            it["MetricStat"]["Stat"],
            int(it["MetricStat"]["Period"]),
            points,
            now,
        )
        for it in metrics
        if "MetricStat" in it
    }
    (expression,) = [it["Expression"] for it in metrics if "Expression" in it]
    present = {name: value for name, value in values.items() if value is not None}
    if expression == "SUM(METRICS())":
        return sum(present.values()) if present else None
    tree = ast.parse(expression, mode="eval").body
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    try:
        return _calculated(tree, present) if names <= present.keys() else None
    except ZeroDivisionError:
        return None


def _calculated(node: ast.expr, values: Mapping[str, float]) -> float:
    if isinstance(node, ast.Name):
        return values[node.id]
    if isinstance(node, ast.Constant):
        return float(node.value)  # type: ignore[arg-type]  # a number, or it is not emulated
    if isinstance(node, ast.BinOp):
        combine = _OPERATORS[type(node.op)]
        return combine(_calculated(node.left, values), _calculated(node.right, values))
    raise ValueError(ast.dump(node))
