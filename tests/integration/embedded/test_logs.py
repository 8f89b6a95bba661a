"""CloudWatch Logs on the embedded AWS: log groups of functions and of the state machine."""

from __future__ import annotations

import json
import re
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipectl.client.step_functions import DescribedExecution
from pipectl.embedded.process import StackProcess
from tests.integration.embedded.conftest import Invoke

PARSE_CSV = "/aws/lambda/data-pipeline-parse-csv-dev"
MACHINE = "/aws/vendedlogs/states/data-pipeline-dev"
STREAM = re.compile(r"\d{4}/\d\d/\d\d/\[\$LATEST\][0-9a-f]{32}")


@pytest.fixture(scope="module")
def execution(embedded: StackProcess) -> DescribedExecution:
    """An execution of the pipeline that has ended."""
    return embedded.wait_for(embedded.upload(b"id\n1\n", "raw/logged/a.csv"))


def found(stack: StackProcess, group: str, pattern: str, **more: Any) -> list[dict[str, Any]]:
    answer = stack.client("logs").filter_log_events(
        logGroupName=group, filterPattern=pattern, **more
    )
    events: list[dict[str, Any]] = answer["events"]
    return events


def test_a_function_logs_into_the_group_that_the_template_names(
    embedded: StackProcess, execution: DescribedExecution
) -> None:
    pattern = f'{{ $.execution = "{execution.name}" && $.message = "step done" }}'
    [event] = found(embedded, PARSE_CSV, pattern)
    assert json.loads(event["message"])["service"] == "parse_csv"
    assert STREAM.fullmatch(event["logStreamName"])
    assert abs(event["timestamp"] / 1000 - execution.started_at.timestamp()) < 60


def test_the_lines_of_an_invocation_are_in_one_stream_in_order(
    embedded: StackProcess, execution: DescribedExecution
) -> None:
    [done] = found(embedded, PARSE_CSV, f'"{execution.name}"')
    events = embedded.client("logs").get_log_events(
        logGroupName=PARSE_CSV, logStreamName=done["logStreamName"], startFromHead=True
    )["events"]
    lines = [event["message"].split(" ")[0] for event in events]
    place = [event["message"] for event in events].index(done["message"])
    assert (lines[place - 1], lines[place + 1]) == ("START", "END")


def test_a_stream_is_one_worker(embedded: StackProcess, execution: DescribedExecution) -> None:
    streams = embedded.client("logs").describe_log_streams(logGroupName=PARSE_CSV)["logStreams"]
    names = [stream["logStreamName"] for stream in streams]
    assert names
    assert all(STREAM.fullmatch(name) for name in names)
    assert execution.status == "succeeded"


def test_only_later_events_are_found_with_a_start_time(
    embedded: StackProcess, execution: DescribedExecution
) -> None:
    assert found(embedded, PARSE_CSV, "", startTime=int(time.time() * 1000) + 60_000) == []
    started = int(execution.started_at.timestamp() * 1000) - 1000
    assert found(embedded, PARSE_CSV, f'"{execution.name}"', startTime=started)


def test_the_state_machine_logs_its_history(
    embedded: StackProcess, execution: DescribedExecution
) -> None:
    pattern = f'{{ $.execution_arn = "{execution.arn}" }}'
    logged = [json.loads(event["message"]) for event in found(embedded, MACHINE, pattern)]
    history = embedded.client("stepfunctions").get_execution_history(
        executionArn=execution.arn, maxResults=1000
    )
    assert [event["type"] for event in logged] == [event["type"] for event in history["events"]]
    assert json.loads(logged[0]["details"]["input"])["file_id"] == execution.name


def test_every_group_of_the_template_exists(
    embedded: StackProcess, execution: DescribedExecution
) -> None:
    groups = embedded.client("logs").describe_log_groups()["logGroups"]
    names = {group["logGroupName"] for group in groups}
    assert {PARSE_CSV, MACHINE, "/aws/lambda/data-pipeline-starter-dev"} <= names
    assert execution.status == "succeeded"


def test_lines_that_are_not_json_are_found(invoke: Invoke, probe: StackProcess) -> None:
    invoke({"do": "echo"})
    assert found(probe, "/aws/lambda/probe-actor", "REPORT")


@pytest.mark.parametrize("pattern", ['{ $.level LIKE "E" }', "[ip, user]"])
@pytest.mark.parametrize("group", [PARSE_CSV, "empty"])
def test_a_pattern_that_is_not_understood_is_refused(
    embedded: StackProcess, pattern: str, group: str
) -> None:
    logs = embedded.client("logs")
    if group == "empty" and not logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
        logs.create_log_group(logGroupName=group)
    with pytest.raises(ClientError, match="InvalidParameterException"):
        found(embedded, group, pattern)


def test_logs_insights_is_refused(embedded: StackProcess) -> None:
    with pytest.raises(ClientError, match="has no Logs Insights"):
        embedded.client("logs").start_query(
            logGroupName=PARSE_CSV, startTime=0, endTime=1, queryString="fields @message"
        )
