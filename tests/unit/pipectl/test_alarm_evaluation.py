"""Alarms of the embedded AWS: their value, their state, and the metrics in logs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipectl.embedded.alarms import evaluate, message
from pipectl.embedded.metrics import Datapoint, Recorder, from_filter, from_log

NOW = 1_800_000_000.0
DIMENSIONS = [{"Name": "service", "Value": "a"}]


def point(value: float, name: str = "Errors", ago: float = 10, service: str = "a") -> Datapoint:
    return Datapoint(NOW - ago, "Own", name, frozenset({("service", service)}), value)


def alarm(statistic: str = "Sum", threshold: Any = 3, **more: Any) -> dict[str, Any]:
    return {
        "AlarmName": "errors",
        "AlarmDescription": "There are errors.",
        "Namespace": "Own",
        "MetricName": "Errors",
        "Dimensions": DIMENSIONS,
        "Statistic": statistic,
        "Period": 300,
        "Threshold": threshold,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        **more,
    }


def expression(text: str) -> dict[str, Any]:
    metrics = [
        {
            "Id": name,
            "MetricStat": {
                "Metric": {"Namespace": "Own", "MetricName": name, "Dimensions": DIMENSIONS},
                "Period": 300,
                "Stat": "Sum",
            },
        }
        for name in ("bad", "all")
    ]
    return alarm(Metrics=[{"Id": "share", "Expression": text}, *metrics], threshold="20")


@pytest.mark.parametrize(
    ("points", "statistic", "state", "value"),
    [
        ([point(1), point(2)], "Sum", "ALARM", 3),
        ([point(1), point(1)], "Sum", "OK", 2),
        ([point(1), point(5)], "Maximum", "ALARM", 5),
        ([point(1), point(3)], "Average", "OK", 2),
        ([point(9, ago=301)], "Sum", "OK", None),
        ([point(9, service="b"), point(9, name="Other")], "Sum", "OK", None),
        ([], "Sum", "OK", None),
    ],
)
def test_a_metric_is_compared_with_the_threshold(
    points: list[Datapoint], statistic: str, state: str, value: float | None
) -> None:
    found = evaluate(alarm(statistic), points, NOW)
    assert (found.state, found.value) == (state, value)


@pytest.mark.parametrize(
    ("points", "value"),
    [
        ([point(1, "bad"), point(4, "all")], 25),
        ([point(0, "bad"), point(0, "all")], None),
        ([point(1, "bad")], None),
    ],
)
def test_an_expression_is_calculated(points: list[Datapoint], value: float | None) -> None:
    assert evaluate(expression("100 * bad / all"), points, NOW).value == value


def test_all_metrics_are_added_up() -> None:
    found = evaluate(expression("SUM(METRICS())"), [point(19, "bad"), point(2, "all")], NOW)
    assert (found.state, found.value) == ("ALARM", 21)


@pytest.mark.parametrize("text", ["bad ** 2", "[bad]"])
def test_what_is_not_emulated_is_an_error(text: str) -> None:
    with pytest.raises((ValueError, KeyError)):
        evaluate(expression(text), [point(1, "bad"), point(1, "all")], NOW)


def test_another_comparison_is_an_error() -> None:
    with pytest.raises(ValueError, match="LessThan"):
        evaluate(alarm(ComparisonOperator="LessThanThreshold"), [], NOW)


def test_the_message_is_like_cloudwatchs() -> None:
    subject, text = message(alarm(), evaluate(alarm(), [point(3)], NOW), "OK")
    assert subject == 'ALARM: "errors" in us-east-1'
    document = json.loads(text)
    assert (document["NewStateValue"], document["OldStateValue"]) == ("ALARM", "OK")
    assert document["AlarmDescription"] == "There are errors."


def test_metrics_in_a_log_have_one_datapoint_for_each_set_of_dimensions() -> None:
    line = {
        "_aws": {
            "Timestamp": NOW * 1000,
            "CloudWatchMetrics": [
                {
                    "Namespace": "Own",
                    "Dimensions": [["service"], ["service", "dataset"]],
                    "Metrics": [{"Name": "Files"}],
                }
            ],
        },
        "service": "a",
        "dataset": "orders",
        "Files": [2.0],
    }
    found = list(from_log(f"not JSON\n{json.dumps(line)}\n{{half a li"))
    service = ("service", "a")
    assert found == [
        Datapoint(NOW, "Own", "Files", frozenset({service}), 2),
        Datapoint(NOW, "Own", "Files", frozenset({service, ("dataset", "orders")}), 2),
    ]


def test_a_filter_counts_the_lines_that_meet_all_conditions() -> None:
    properties = {
        "FilterPattern": '{ $.level = "ERROR" && $.message = "not handled" }',
        "MetricTransformations": [
            {
                "MetricNamespace": "Own",
                "MetricName": "Errors",
                "MetricValue": "1",
                "Dimensions": [{"Key": "service", "Value": "$.service"}],
            }
        ],
    }
    lines = [
        {"level": "ERROR", "message": "not handled", "service": "a"},
        {"level": "INFO", "message": "not handled", "service": "a"},
        {"level": "ERROR", "message": "another", "service": "a"},
    ]
    found = list(from_filter(properties, "\n".join(map(json.dumps, lines)), NOW))
    assert found == [point(1, ago=0)]


def test_what_happens_is_counted_at_its_time() -> None:
    recorder = Recorder()
    recorder.count("AWS/Lambda", "Errors", FunctionName="f")
    (found,) = recorder.points()
    assert (found.name, found.value) == ("Errors", 1)
    assert found.dimensions == {("FunctionName", "f")}
