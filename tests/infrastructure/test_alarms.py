"""Alarms, dashboard and saved queries: each refers to what exists, and says what to do."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.infrastructure import deployed
from tests.infrastructure.deployed import ROOT

ALARMS = {
    logical_id: alarm["Properties"]
    for logical_id, alarm in deployed.template().resources("AWS::CloudWatch::Alarm").items()
}
RUNBOOK = (ROOT / "docs" / "runbook.md").read_text("utf-8")
OWN = "DataPipeline/${Environment}"
# Metrics of AWS's services that the template uses, each with its dimension.
# https://docs.aws.amazon.com/step-functions/latest/dg/procedure-cw-metrics.html
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-available-cloudwatch-metrics.html
# https://docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
AWS_METRICS = {
    ("AWS/States", "ExecutionsFailed"): "StateMachineArn",
    ("AWS/States", "ExecutionsTimedOut"): "StateMachineArn",
    ("AWS/States", "ExecutionThrottled"): "StateMachineArn",
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): "QueueName",
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): "QueueName",
    ("AWS/Lambda", "Errors"): "FunctionName",
    ("AWS/Lambda", "Throttles"): "FunctionName",
}


def stats(alarm: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Namespace, name and dimensions of each metric of an alarm."""
    found = [it["MetricStat"]["Metric"] for it in alarm.get("Metrics", []) if "MetricStat" in it]
    for metric in found or [alarm]:
        dimensions = {it["Name"]: deployed.text_of(it["Value"]) for it in metric["Dimensions"]}
        yield deployed.text_of(metric["Namespace"]), metric["MetricName"], dimensions


def anchor_of(alarm: Mapping[str, Any]) -> str:
    return str(alarm["AlarmDescription"]["Fn::Sub"].rpartition("#")[2])


@pytest.mark.parametrize("logical_id", ALARMS)
def test_a_description_is_a_sentence_and_the_address_of_the_runbooks_section(
    logical_id: str,
) -> None:
    text = ALARMS[logical_id]["AlarmDescription"]["Fn::Sub"]
    sentence, _, link = text.rpartition(" Runbook: ")
    assert re.fullmatch(r"[A-Z].{20,400}\.", sentence)
    assert link.startswith("${RunbookUrl}#")
    assert f"\n### {anchor_of(ALARMS[logical_id])}\n" in RUNBOOK


def test_every_section_of_the_runbooks_alarms_is_of_an_alarm() -> None:
    sections = re.findall(r"^### (\S+)$", RUNBOOK.partition("## Errors of a file")[0], re.MULTILINE)
    assert sorted(sections) == sorted(map(anchor_of, ALARMS.values()))


@pytest.mark.parametrize("logical_id", ALARMS)
def test_an_alarm_notifies_its_own_topic_or_that_of_the_files(logical_id: str) -> None:
    assert ALARMS[logical_id]["AlarmActions"] == [
        {"Fn::If": ["HasAlarmTopic", {"Ref": "AlarmTopicArn"}, {"Ref": "NotificationTopic"}]}
    ]


def test_the_topic_of_the_files_accepts_exactly_these_alarms() -> None:
    statements = deployed.properties("NotificationTopicPolicy")["PolicyDocument"]["Statement"]
    (allowed,) = [it for it in statements if it["Effect"] == "Allow"]
    arns = [it["Fn::Sub"] for it in allowed["Condition"]["ArnEquals"]["aws:SourceArn"]]
    prefix = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    names = [alarm["AlarmName"]["Fn::Sub"] for alarm in ALARMS.values()]
    assert sorted(arns) == sorted(prefix + name for name in names)


def emitted() -> set[tuple[str, str, tuple[str, ...]]]:
    """The stack's own metrics, as functions and metric filters write them: with dimensions."""
    filters = deployed.template().resources("AWS::Logs::MetricFilter").values()
    found = {
        (deployed.text_of(it["MetricNamespace"]), it["MetricName"], _names(it["Dimensions"]))
        for one in filters
        for it in one["Properties"]["MetricTransformations"]
    }
    namespace = deployed.text_of(
        deployed.functions()["RecordMetadata"]["Environment"]["Variables"][
            "POWERTOOLS_METRICS_NAMESPACE"
        ]
    )
    code = "".join(path.read_text("utf-8") for path in (ROOT / "functions").rglob("*.py"))
    names = {*re.findall(r'add_metric\("(\w+)"', code), "record_count", "error_count"}
    names |= {"processed_count", "FilesSucceeded", "FilesFailed", "FilesSuperseded"}
    return found | {(namespace, name, ("service",)) for name in names}


def _names(dimensions: Any) -> tuple[str, ...]:
    return tuple(it["Key"] for it in dimensions)


@pytest.mark.parametrize("logical_id", ALARMS)
def test_an_alarm_watches_metrics_that_exist(logical_id: str) -> None:
    for namespace, name, dimensions in stats(ALARMS[logical_id]):
        if namespace == OWN:
            assert (namespace, name, tuple(dimensions)) in emitted()
            (service,) = dimensions.values()
            assert service in {"starter", "record_metadata", "freshness"}
        else:
            assert list(dimensions) == [AWS_METRICS[namespace, name]]


def test_every_function_of_the_workflow_is_watched() -> None:
    watched = {
        dimensions["FunctionName"].removesuffix("Function")
        for alarm in ALARMS.values()
        for namespace, name, dimensions in stats(alarm)
        if (namespace, name) == ("AWS/Lambda", "Errors")
    }
    # The gate fails on purpose; the starter reports its errors to SQS.
    assert set(deployed.functions()) - watched == {"FailureGate", "Starter"}


@pytest.mark.parametrize("logical_id", ALARMS)
def test_an_alarm_has_at_most_ten_metrics(logical_id: str) -> None:
    """A limit of metric math in alarms."""
    assert len(list(stats(ALARMS[logical_id]))) <= 10


class TestDashboard:
    BODY: Mapping[str, Any] = json.loads(
        deployed.properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    )

    def test_its_widgets_do_not_overlap(self) -> None:
        taken: set[tuple[int, int]] = set()
        for widget in self.BODY["widgets"]:
            place = {
                (x, y)
                for x in range(widget["x"], widget["x"] + widget["width"])
                for y in range(widget["y"], widget["y"] + widget["height"])
            }
            assert not place & taken
            assert max(x for x, _ in place) < 24
            taken |= place

    def test_it_shows_business_figures_first_then_failures_latency_and_costs(self) -> None:
        headings = [
            widget["properties"]["markdown"]
            for widget in self.BODY["widgets"]
            if widget["type"] == "text"
        ]
        assert headings == [
            "## Files and records",
            "## Failures",
            "## Latency",
            "## What costs",
            "## Logs",
        ]

    def test_it_shows_metrics_that_exist(self) -> None:
        text = json.dumps(self.BODY)
        own = {name for _, name, _ in emitted()}
        searched = set(re.findall(r'MetricName=\\\\?\\?"(\w+)', text))
        assert searched
        assert searched <= own
        for widget in self.BODY["widgets"]:
            for metric in widget["properties"].get("metrics", []):
                if isinstance(metric[0], str) and metric[0] == OWN:
                    assert metric[1] in own

    def test_it_refers_to_resources_that_exist(self) -> None:
        references = set(re.findall(r"\$\{(\w+)", json.dumps(self.BODY)))
        known = {*deployed.template().document["Resources"], "AWS", "Environment"}
        assert references <= known


QUERIES = deployed.template().resources("AWS::Logs::QueryDefinition")


@pytest.mark.parametrize("logical_id", QUERIES)
def test_a_saved_query_is_of_log_groups_that_exist(logical_id: str) -> None:
    properties = QUERIES[logical_id]["Properties"]
    groups = set(map(deployed.text_of, properties["LogGroupNames"]))
    assert groups <= set(deployed.template().resources("AWS::Logs::LogGroup"))
    assert (
        f"*{properties['Name']['Fn::Sub'].partition('/')[2]}*" in RUNBOOK
        or "file" in logical_id.lower()
    )
