"""What a stack costs without files: derived from the template, whatever it contains."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from click.testing import CliRunner

from pipectl.cli import pipectl
from pipectl.errors import PipectlError
from pipectl.scale import idle
from pipectl.scale.assumptions import Assumptions
from pipectl.scale.billing import Prices
from pipectl.scale.deployed import DeployedResources, Resource, read_resources

PROJECT = Path(__file__).parents[3]
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0a1b2c3d-0000-4000-8000-000000000000"
ALARM = """
  OneMoreAlarm:
    Type: AWS::CloudWatch::Alarm
    Properties:
      Namespace: AWS/SQS
      MetricName: NumberOfMessagesSent
      Statistic: Sum
      Period: 60
      EvaluationPeriods: 1
      Threshold: 1
      ComparisonOperator: GreaterThanOrEqualToThreshold
  SlowRule:
    Type: AWS::Events::Rule
    Properties:
      ScheduleExpression: rate(1 day)
      Targets: [{Id: slow, Arn: !GetAtt StarterFunction.Arn}]
  Trail:
    Type: AWS::CloudTrail::Trail
"""


def report(resources: DeployedResources, prices: Prices | None = None) -> idle.IdleReport:
    return idle.idle_report(resources, Assumptions(), prices or Prices(), datasets=10)


def months(resources: DeployedResources) -> dict[str, float]:
    """The quantities of 30 days by key, those of several schedules together."""
    found: Counter[str] = Counter()
    for one in report(resources).quantities:
        found[one.quantity.key] += one.quantity.month  # type: ignore[assignment]
    return dict(found)


@pytest.fixture(scope="module")
def resources() -> DeployedResources:
    return read_resources(PROJECT / "template.yaml", {})


@pytest.fixture(scope="module")
def protected() -> DeployedResources:
    parameters = {"KmsKeyArn": KEY, "WebhookSecret": "chat", "LogRetentionDays": "90"}
    return read_resources(PROJECT / "template.yaml", parameters)


def test_every_type_of_the_template_is_counted_or_free(
    resources: DeployedResources, protected: DeployedResources
) -> None:
    assert report(resources).unknown == report(protected).unknown == []


def test_every_metric_of_every_alarm_counts(resources: DeployedResources) -> None:
    alarms = resources.of("AWS::CloudWatch::Alarm").values()
    dimensions = str(list(alarms)).count("'MetricName'")
    assert months(resources)["alarm_metrics"] == dimensions > len(alarms)


def test_the_queue_is_polled_and_freshness_checked_all_month(resources: DeployedResources) -> None:
    month = months(resources)
    assert month["sqs"] == 5 * 30 * 24 * 3600 / 20
    assert month["invocations"] == month["traces"] == 30 * 24 * 4
    assert month["s3_reads"] == 20 * month["invocations"]
    assert month["log_storage"] == month["logs"]
    assert "keys" not in month


def test_parameters_add_to_it(resources: DeployedResources, protected: DeployedResources) -> None:
    before, after = months(resources), months(protected)
    assert (after["keys"], after["secrets"]) == (1, 1)
    assert after["alarm_metrics"] == before["alarm_metrics"] + 1
    assert after["log_storage"] == 3 * before["log_storage"]


def test_what_is_new_in_the_template_counts_or_is_named(
    resources: DeployedResources, tmp_path: Path
) -> None:
    text = (PROJECT / "template.yaml").read_text(encoding="utf-8")
    assert text.count("\nOutputs:\n") == 1
    (tmp_path / "template.yaml").write_text(text.replace("\nOutputs:\n", f"{ALARM}\nOutputs:\n"))
    (tmp_path / "statemachine").symlink_to(PROJECT / "statemachine")
    changed = read_resources(tmp_path / "template.yaml", {})

    before, after = months(resources), months(changed)
    assert after["alarm_metrics"] == before["alarm_metrics"] + 1
    assert after["invocations"] == before["invocations"] + 30
    assert report(changed).unknown == ["AWS::CloudTrail::Trail", "requests of StarterFunction"]


def test_the_command_sums_up_the_prices(tmp_path: Path) -> None:
    prices = {"currency": "EUR", "source": "made up", "prices": {"dashboards": 3, "metrics": 0.5}}
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(prices))
    run = ["estimate", "--idle", "--prices", str(path)]

    document = json.loads(CliRunner().invoke(pipectl, [*run, "--json"]).stdout)
    text = CliRunner().invoke(pipectl, run).stdout

    assert document["cost"]["month"] == 3.5
    assert "alarm_metrics" in document["cost"]["without_price"]
    assert document["not_counted"] == []
    assert "3.50" in next(line for line in text.splitlines() if line.startswith("  total"))
    assert "Not in the total, since they have no price: CloudWatch: metrics of alarms" in text


def test_a_schedule_that_is_no_rate_is_refused() -> None:
    rule = Resource("AWS::Events::Rule", {"ScheduleExpression": "cron(0 12 * * ? *)"})
    with pytest.raises(PipectlError, match="is not a rate"):
        report(DeployedResources({"Rule": rule}, frozenset()))
