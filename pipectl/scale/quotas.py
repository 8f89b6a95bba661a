"""How much a load uses of the quotas of AWS and of the limits in the stack's own settings.

Quotas are the defaults of us-east-1 for an established account. New accounts have lower ones, which
AWS raises with use. Quotas without a page as source are marked as unverified.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pipectl.scale.durations import seconds_of
from pipectl.scale.requests import S3_READS, S3_WRITES, total
from tabular.reading.splits import MAX_SPLITS

if TYPE_CHECKING:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.deployed import Deployed, DeployedFunction
    from pipectl.scale.load_model import Estimate

_DAY_SECONDS = 86_400
_TEMPLATE = "template.yaml"
_EVENTBRIDGE = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html"
_STEP_FUNCTIONS = "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"
_DYNAMODB = (
    "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/"
    "warm-throughput-scenarios.html"
)
_S3 = "https://repost.aws/knowledge-center/http-5xx-errors-s3"
_EMAIL = "https://repost.aws/knowledge-center/sns-email-subscription-disabled"
_MAP = "https://docs.aws.amazon.com/step-functions/latest/dg/state-map-distributed.html"


@dataclass(frozen=True)
class Quota:
    """A limit; `read_from` is the page that it is from, None without one."""

    what: str
    limit: float
    unit: str
    read_from: str | None
    remedy: str

    @property
    def verified(self) -> bool:
        """Whether it is from a page or from the stack's own template."""
        return self.read_from is not None


@dataclass(frozen=True)
class Load:
    """The use of a quota."""

    quota: Quota
    load: float

    @property
    def share(self) -> float:
        """The used share; 1 and more means that the quota is reached."""
        return self.load / self.quota.limit


EMAIL = Quota(
    "SNS: e-mails of a subscription (if NotificationEmail is set)",
    10,
    "a second",
    _EMAIL,
    "Subscribe a queue, a function or WebhookSecret instead, or filter on the attribute status:"
    " SNS deactivates a subscription that gets more.",
)
STARTS = Quota(
    "Step Functions: StartExecution",
    300,
    "a second",
    None,
    "Request an increase. Until then, messages wait in the queue and the starter retries.",
)
TRANSITIONS = Quota(
    "Step Functions: rate of state transitions",
    5000,
    "a second",
    None,
    "Request an increase. Executions slow down but don't fail. Other regions start at 800.",
)
OPEN_EXECUTIONS = Quota(
    "Step Functions: open executions",
    1_000_000,
    "at once",
    _STEP_FUNCTIONS,
    "Request an increase.",
)
OPEN_MAP_RUNS = Quota(
    "Step Functions: open Map Runs",
    1000,
    "at once",
    _STEP_FUNCTIONS,
    "Raise SplitSizeBytes, so that fewer files need splits.",
)
CONCURRENCY = Quota(
    "Lambda: concurrent executions of the account",
    1000,
    "at once",
    None,
    "Nothing fails: throttled states wait, about four hours each, and messages stay in the queue."
    " Request an increase, or lower MaxConcurrency.",
)
S3_WRITE_RATE = Quota(
    "S3: PUT, COPY, POST, DELETE of a prefix",
    3500,
    "a second",
    _S3,
    "Nothing at first: keys under work/ contain random file IDs, so S3 can partition further.",
)
S3_READ_RATE = Quota(
    "S3: GET, HEAD of a prefix",
    5500,
    "a second",
    _S3,
    "Nothing at first: keys under work/ contain random file IDs, so S3 can partition further.",
)
DAY_KEY = Quota(
    "DynamoDB: writes to a partition (the day in processed-at-index)",
    1000,
    "units a second",
    _DYNAMODB,
    "Spread the day over several keys, such as 2026-03-01#7, and query each of them.",
)
TABLE_WRITES = Quota(
    "DynamoDB: on-demand writes of a table",
    40_000,
    "units a second",
    None,
    "Request an increase. Pre-warm the table for a planned peak.",
)
PUBLISHES = Quota(
    "SNS: Publish", 30_000, "a second", None, "Request an increase. Other regions start lower."
)
IN_FLIGHT = Quota(
    "SQS: messages in flight",
    120_000,
    "at once",
    None,
    "Request an increase. The throughput of a standard queue is nearly unlimited.",
)
EVENTS = Quota(
    "EventBridge: invocations of targets (if every execution failed)",
    18_750,
    "a second",
    _EVENTBRIDGE,
    "Request an increase. EventBridge delays invocations beyond the quota.",
)
PUT_EVENTS = Quota(
    "EventBridge: PutEvents",
    10_000,
    "a second",
    _EVENTBRIDGE,
    "Request an increase. Other regions start lower.",
)
LOG_REQUESTS = Quota(
    "CloudWatch Logs: PutLogEvents",
    5000,
    "a second",
    None,
    "Request an increase, or set LogLevel to WARN. Lambda sends several lines per request.",
)
SPLITS = Quota(
    "S3: parts of an upload (and so splits of a file)",
    MAX_SPLITS + 1,  # one for what a format adds
    "parts",
    "https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html",
    "Nothing: splits grow with the file, so there are never more.",
)
OBJECT_BYTES = Quota(
    "S3: bytes of an object (the output)",
    5e12,
    "bytes",
    None,
    "Upload smaller files, or choose parquet, whose objects are smaller.",
)
HISTORY = Quota(
    "Step Functions: events in a history",
    25_000,
    "events",
    "https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html",
    "Nothing: each split has its own history.",
)
MAP_CONCURRENCY = Quota(
    "Step Functions: children of a Map at once",
    10_000,
    "at once",
    _MAP,
    "Nothing: MaxConcurrency can't be set higher.",
)


QUOTAS = (
    *(EMAIL, STARTS, TRANSITIONS, OPEN_EXECUTIONS, OPEN_MAP_RUNS, CONCURRENCY, S3_WRITE_RATE),
    *(S3_READ_RATE, DAY_KEY, TABLE_WRITES, PUBLISHES, IN_FLIGHT, EVENTS, PUT_EVENTS, LOG_REQUESTS),
    *(SPLITS, OBJECT_BYTES, HISTORY, MAP_CONCURRENCY),
)
"""All quotas of AWS that loads are compared with."""


def loads_of_many(
    deployed: Deployed, one: Estimate, assumptions: Assumptions, *, files_per_second: float
) -> list[Load]:
    """The use of each quota by this rate of files, most used first."""
    rate = files_per_second
    made = one.requests
    writes = made["dynamodb:PutItem"] + made["dynamodb:UpdateItem"]
    item_units = -(-assumptions.item_bytes // 1024)
    handled = assumptions.step_seconds + assumptions.request_seconds
    starter = Quota(
        "The starter's own limit (ScalingConfig, BatchSize)",
        deployed.starter_concurrency / handled,
        "files a second",
        _TEMPLATE,
        "Raise MaximumConcurrency of the starter's queue. Until then, messages wait.",
    )
    used = {
        EMAIL: rate * made["sns:Publish"],
        STARTS: rate,
        TRANSITIONS: rate * one.transitions,
        OPEN_EXECUTIONS: rate * one.wall_seconds,
        OPEN_MAP_RUNS: rate * one.wall_seconds if one.route.children else 0,
        _concurrency(assumptions): rate * one.lambda_seconds,
        starter: rate,
        S3_WRITE_RATE: rate * (total(made, *S3_WRITES) + made["s3:DeleteObject"]),
        S3_READ_RATE: rate * total(made, *S3_READS),
        DAY_KEY: rate * writes * item_units,
        TABLE_WRITES: rate * writes * item_units,
        PUBLISHES: rate * made["sns:Publish"],
        IN_FLIGHT: rate * handled,
        EVENTS: rate,
        PUT_EVENTS: rate * made["events:PutEvents"],
        LOG_REQUESTS: rate * (one.lambda_invocations + 1),
    }
    loads = [Load(quota, load) for quota, load in used.items()]
    return _most_used_first([*loads, *_reservations(one, rate)])


def loads_of_one(deployed: Deployed, one: Estimate, assumptions: Assumptions) -> list[Load]:
    """The use of each limit by a single file, most used first."""
    at_once = min(len(one.file.splits), deployed.max_concurrency)
    used = {
        SPLITS: float(len(one.file.splits)),
        OBJECT_BYTES: float(sum(one.file.output)),
        HISTORY: float(one.history_events),
        MAP_CONCURRENCY: float(at_once) if one.route.children else 0.0,
        _concurrency(assumptions): float(at_once),
        _workflow_timeout(deployed): one.wall_seconds,
    }
    return _most_used_first(
        [
            *(Load(quota, load) for quota, load in used.items()),
            *_timeouts(deployed, one, assumptions),
        ]
    )


def files_per_day_at(load: Load, files_per_day: float) -> float:
    """The files per day at which a quota is reached, from its use at `files_per_day`."""
    return files_per_day / load.share


def per_second(files_per_day: float, peak: float) -> float:
    """Files per second at the peak; `peak` is its ratio to the average."""
    return files_per_day / _DAY_SECONDS * peak


def _concurrency(assumptions: Assumptions) -> Quota:
    return replace(CONCURRENCY, limit=float(assumptions.concurrent_executions))


def _reservations(one: Estimate, rate: float) -> Iterator[Load]:
    """The use of the functions' reserved concurrency by this rate of files."""
    seconds: dict[DeployedFunction, float] = defaultdict(float)
    for part in one.invocations:
        seconds[part.function] += part.count * part.seconds
    for function, taken in seconds.items():
        if function.reserved:
            limit = Quota(
                f"{function.logical_id}: reserved concurrency",
                float(function.reserved),
                "at once",
                _TEMPLATE,
                "Nothing fails: throttled states wait. Raise ReservedConcurrency, or set it to 0.",
            )
            yield Load(limit, rate * taken)


def _timeouts(deployed: Deployed, one: Estimate, assumptions: Assumptions) -> Iterator[Load]:
    for name in one.route.states:
        state = deployed.definition["States"][name]
        if state["Type"] == "Map":
            (state,) = state["ItemProcessor"]["States"].values()
        function = deployed.function(state) if state["Type"] == "Task" else None
        if function is None:
            continue
        limit = Quota(
            f"The function's timeout in {name}",
            function.timeout_seconds,
            "seconds",
            _TEMPLATE,
            _AGAINST_TIMEOUT.get(name, "Raise the function's Timeout and the state's."),
        )
        yield Load(limit, seconds_of(name, function, one.file, assumptions))


_AGAINST_TIMEOUT = {
    "ParseCsv": "Raise SplitSizeBytes: it reads one window per split, in sequence.",
    "MeasureSplits": "Lower SplitSizeBytes.",
    "Transform": "Lower SplitSizeBytes.",
    "TransformSplits": "Lower SplitSizeBytes.",
    "WriteOutput": "Choose parquet, or upload smaller files: it waits for S3 to copy the output.",
    "Summarize": "Raise SplitSizeBytes: it merges the statistics of all splits.",
}


def _workflow_timeout(deployed: Deployed) -> Quota:
    return Quota(
        "The workflow's timeout",
        float(deployed.definition["TimeoutSeconds"]),
        "seconds",
        _TEMPLATE,
        "Raise MaxConcurrency.",
    )


def _most_used_first(loads: Iterator[Load] | list[Load]) -> list[Load]:
    return sorted((load for load in loads if load.load), key=lambda load: -load.share)
