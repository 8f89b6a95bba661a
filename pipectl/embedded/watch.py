"""Watches the stack's alarms: gathers the metrics, evaluates, and publishes what changes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.embedded import alarms, metrics
from pipectl.embedded.log_files import log_files
from pipectl.embedded.metrics import Datapoint
from pipectl.embedded.moto_patches import backends
from pipectl.embedded.template import ACCOUNT, REGION

if TYPE_CHECKING:
    from pipectl.client.deployment import Deployment
    from pipectl.embedded.lambda_service import LambdaService
    from pipectl.embedded.rights.enforcement import Rights

_CLOUDWATCH = "cloudwatch.amazonaws.com"

# Step Functions' metrics, by the status of an execution that has ended.
_STATES_METRICS = {
    "FAILED": "ExecutionsFailed",
    "TIMED_OUT": "ExecutionsTimedOut",
    "ABORTED": "ExecutionsAborted",
    "SUCCEEDED": "ExecutionsSucceeded",
}


class Watch:
    """The alarms of a stack, with the metric filters that some of them need."""

    def __init__(
        self,
        alarm_properties: Sequence[Mapping[str, Any]],
        filters: Sequence[Mapping[str, Any]],
        functions: LambdaService,
        log_folder: Path,
        *,
        deployment: Deployment,
        rights: Rights,
    ) -> None:
        """The properties are resolved; `log_folder` has a log for each function."""
        self._alarms = alarm_properties
        self._filters = filters
        self._functions = functions
        self._log_folder = log_folder
        self._deployment = deployment
        self._rights = rights
        self._states: dict[str, str] = {}

    def evaluate(self, now: float) -> dict[str, str]:
        """Every alarm's state at a time, by name; a new ALARM is published to its actions."""
        points = [*self._functions.metrics.points(), *self._logged(now), *_gathered(now)]
        for alarm in self._alarms:
            name = alarm["AlarmName"]
            evaluation = alarms.evaluate(alarm, points, now)
            before = self._states.get(name, "OK")
            self._states[name] = evaluation.state
            if evaluation.state != before:
                self._change(alarm, evaluation, before)
        return dict(self._states)

    def _change(self, alarm: Mapping[str, Any], evaluation: alarms.Evaluation, before: str) -> None:
        self._deployment.client("cloudwatch").set_alarm_state(
            AlarmName=alarm["AlarmName"],
            StateValue="ALARM" if evaluation.state == "ALARM" else "OK",
            StateReason=evaluation.reason,
        )
        if evaluation.state == "ALARM":
            subject, text = alarms.message(alarm, evaluation, before)
            arn = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{alarm['AlarmName']}"
            for topic in alarm["AlarmActions"]:
                if self._rights.of_service(_CLOUDWATCH, "sns:Publish", topic, arn) is None:
                    self._deployment.client("sns").publish(
                        TopicArn=topic, Subject=subject[:99], Message=text
                    )

    def _logged(self, now: float) -> Iterator[Datapoint]:
        for file in log_files(self._log_folder):
            text = file.path.read_text("utf-8", errors="backslashreplace")
            yield from metrics.from_log(text)
            for one in self._filters:
                if one["LogGroupName"].rpartition("/")[2] == file.function:
                    yield from metrics.from_filter(one, text, now)


def _gathered(now: float) -> Iterator[Datapoint]:
    """The metrics of queues and executions, as of a time."""
    for name, count, age in backends.queue_figures(now):
        queue = frozenset({("QueueName", name)})
        yield Datapoint(now, "AWS/SQS", "ApproximateNumberOfMessagesVisible", queue, count)
        yield Datapoint(now, "AWS/SQS", "ApproximateAgeOfOldestMessage", queue, age)
    for machine, status, ended in backends.ended_executions():
        if status in _STATES_METRICS:
            dimensions = frozenset({("StateMachineArn", machine)})
            yield Datapoint(ended, "AWS/States", _STATES_METRICS[status], dimensions, 1)
