"""What AWS bills for a stack that gets no files, as quantities derived from its template."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipectl.errors import PipectlError
from pipectl.scale.assumptions import Assumptions
from pipectl.scale.billing import Prices, Quantity
from pipectl.scale.deployed import DeployedResources
from pipectl.scale.report import MONTH_DAYS, money, number, table

_MINUTES = {"minute": 1, "hour": 60, "day": 24 * 60}

# DeployedResources that cost nothing without files, each with the reason.
FREE: Mapping[str, str] = {
    "AWS::DynamoDB::Table": "on demand: requests, storage and backups of what is in it",
    "AWS::IAM::ManagedPolicy": "free",
    "AWS::IAM::Role": "free",
    "AWS::Lambda::EventInvokeConfig": "free",
    "AWS::Lambda::LayerVersion": "free up to an account's quota of code",
    "AWS::Lambda::Permission": "free",
    "AWS::Logs::LogGroup": "what is written to it",
    "AWS::Logs::MetricFilter": "its metric exists only after a line that matches",
    "AWS::Logs::QueryDefinition": "a query costs when somebody runs it",
    "AWS::S3::Bucket": "requests, and storage of what is in it",
    "AWS::S3::BucketPolicy": "free",
    "AWS::SNS::Subscription": "deliveries",
    "AWS::SNS::Topic": "requests",
    "AWS::SNS::TopicPolicy": "free",
    "AWS::SQS::Queue": "requests",
    "AWS::SQS::QueuePolicy": "free",
    "AWS::StepFunctions::StateMachine": "transitions",
}


@dataclass(frozen=True)
class Check:
    """What one run of a scheduled function does: S3 requests, and the metrics that it writes.

    The numbers follow the code; a test compares them with a run.
    """

    lists: int
    reads: int
    metrics: int


def freshness(datasets: int) -> Check:
    """A run of Freshness, with as many datasets whose contracts set a limit.

    It lists contracts and reports, and reads each contract and each dataset's history.
    """
    return Check(lists=2, reads=2 * datasets, metrics=1)


_CHECKS: Mapping[str, Callable[[int], Check]] = {"FreshnessFunction": freshness}


@dataclass(frozen=True)
class IdleQuantity:
    """A quantity of 30 days, and what it is made of."""

    quantity: Quantity
    made_of: str


@dataclass(frozen=True)
class IdleReport:
    """What AWS bills for an idle stack in 30 days.

    `unknown` are the types of resources, and the functions, of which nothing is known.
    """

    quantities: list[IdleQuantity]
    unknown: list[str]
    prices: Prices

    @property
    def cost(self) -> float:
        """The cost of 30 days, without the items that have no price."""
        return sum(self.prices.cost(one, one.month) or 0.0 for one in self._billed)

    @property
    def unpriced(self) -> list[Quantity]:
        """The items without a price."""
        return [one for one in self._billed if self.prices.cost(one, 1) is None]

    @property
    def _billed(self) -> list[Quantity]:
        return [one.quantity for one in self.quantities]

    def lines(self) -> Iterator[str]:
        """The report as text."""
        priced = bool(self.prices.unit_prices)
        month = f"{MONTH_DAYS} days"
        yield "What AWS bills for a stack without files"
        rows = [["", month, "unit", *([f"{self.prices.currency} {month}"] * priced), "made of"]]
        for one in self.quantities:
            cost = money(self.prices.cost(one.quantity, one.quantity.month), 2)
            row = [one.quantity.what, number(one.quantity.month), one.quantity.unit]
            rows.append([*row, *([cost] * priced), one.made_of])
        if priced:
            rows.append(["total", "", "", money(self.cost, 2), ""])
        yield from table(rows, "<><><" if priced else "<><<")
        if not priced:
            yield "  For costs, pass the prices of your region: --prices FILE"
        elif self.prices.source:
            yield f"  Prices: {self.prices.source}"
        if priced and self.unpriced:
            names = ", ".join(one.what for one in self.unpriced)
            yield f"  Not in the total, since they have no price: {names}"
        yield "  Storage comes on top: objects, table items with their backups, older logs"
        if self.unknown:
            yield f"  Not known, and not counted: {', '.join(self.unknown)}"

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        cost = {
            "currency": self.prices.currency,
            "source": self.prices.source,
            "month": self.cost,
            "without_price": [one.key for one in self.unpriced],
        }
        return {
            "billed": [
                {
                    "key": one.quantity.key,
                    "what": one.quantity.what,
                    "unit": one.quantity.unit,
                    "month": one.quantity.month,
                    "made_of": one.made_of,
                }
                for one in self.quantities
            ],
            "cost": cost if self.prices.unit_prices else None,
            "not_counted": self.unknown,
        }


def idle_report(
    resources: DeployedResources, assumptions: Assumptions, prices: Prices, *, datasets: int
) -> IdleReport:
    """The report for a stack with as many datasets whose contracts set `freshness`."""
    counted = [
        *_monitoring(resources),
        *_polling(resources, assumptions),
        *_schedules(resources, assumptions, datasets),
        *_keys(resources),
    ]
    unknown = {one.kind for one in resources.all.values()} - FREE.keys() - _COUNTED
    unknown |= {f"requests of {it}" for it, _ in _scheduled(resources) if it not in _CHECKS}
    quantities = [
        IdleQuantity(Quantity(key, 0.0, month), made_of) for key, month, made_of in counted if month
    ]
    return IdleReport(quantities, sorted(unknown), prices)


# The types that the functions below count.
_COUNTED = {
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Events::Rule",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::Function",
}

_Counted = Iterator[tuple[str, float, str]]
"""Key, quantity of 30 days, and what it is made of."""


def _monitoring(resources: DeployedResources) -> _Counted:
    alarms = resources.of("AWS::CloudWatch::Alarm").values()
    # An alarm is billed by the metrics that it evaluates.
    # https://aws.amazon.com/cloudwatch/pricing/
    metrics = [
        sum("MetricStat" in one for one in alarm["Metrics"]) if "Metrics" in alarm else 1
        for alarm in alarms
    ]
    yield "alarm_metrics", sum(metrics), f"{len(metrics)} alarms"
    dashboards = resources.of("AWS::CloudWatch::Dashboard")
    yield "dashboards", len(dashboards), ", ".join(dashboards)


def _polling(resources: DeployedResources, assumptions: Assumptions) -> _Counted:
    """The long polls of empty queues."""
    mappings = len(resources.of("AWS::Lambda::EventSourceMapping"))
    polls = MONTH_DAYS * 86400 / assumptions.poll_seconds
    made_of = f"{assumptions.pollers} pollers, {assumptions.poll_seconds:g} s each"
    yield "sqs", mappings * assumptions.pollers * polls, made_of


def _schedules(resources: DeployedResources, assumptions: Assumptions, datasets: int) -> _Counted:
    """The functions that rules start by the clock."""
    for logical_id, minutes in _scheduled(resources):
        function = resources.all[logical_id].properties
        check = _CHECKS[logical_id](datasets) if logical_id in _CHECKS else Check(0, 0, 0)
        runs = MONTH_DAYS * 24 * 60 / minutes
        requests = check.lists + check.reads
        seconds = assumptions.step_seconds + requests * assumptions.request_seconds
        every = f"{logical_id} every {minutes:g} minutes"
        yield "invocations", runs, every
        yield "gb_seconds", runs * seconds * int(function["MemorySize"]) / 1024, f"{seconds:.2f} s"
        yield "s3_writes", runs * check.lists, f"{check.lists} a run"
        yield "s3_reads", runs * check.reads, f"{check.reads} a run, with {datasets} datasets"
        yield "metrics", check.metrics, every
        logged = runs * assumptions.function_log_bytes / 1e9
        yield "logs", logged, f"{assumptions.function_log_bytes:,} bytes a run"
        days = int(_log_group(resources, function)["RetentionInDays"])
        yield "log_storage", logged * days / MONTH_DAYS, f"kept for {days} days"
        if function.get("TracingConfig", {}).get("Mode") == "Active":
            yield "traces", runs, "each run"


def _scheduled(resources: DeployedResources) -> Iterator[tuple[str, float]]:
    """The logical IDs of functions that rules start, and the minutes between two runs."""
    for rule in resources.of("AWS::Events::Rule").values():
        schedule = rule.get("ScheduleExpression")
        if schedule is None:
            continue
        found = re.fullmatch(r"rate\((\d+) (minute|hour|day)s?\)", schedule)
        if found is None:
            raise PipectlError(
                f"The schedule {schedule} is not a rate, so its runs can't be counted."
            )
        for target in rule["Targets"]:
            yield target["Arn"]["Fn::GetAtt"][0], int(found[1]) * _MINUTES[found[2]]


def _log_group(resources: DeployedResources, function: Mapping[str, Any]) -> Mapping[str, Any]:
    return resources.all[function["LoggingConfig"]["LogGroup"]["Ref"]].properties


def _keys(resources: DeployedResources) -> _Counted:
    if resources.has("HasKmsKey"):
        yield "keys", 1, "KmsKeyArn; each rotation adds one, at most two"
    if resources.has("HasWebhook"):
        yield "secrets", 1, "WebhookSecret"
