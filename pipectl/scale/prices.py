"""What AWS asks for, as data, and the bill that follows.

Prices are those of us-east-1, without free tiers, discounts and taxes. They were read from stored
public pages, not from AWS's price list: each says where and when. Those that no page told are
marked unverified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipectl.scale.requests import total

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pipectl.scale.deployed import Deployed
    from pipectl.scale.model import Estimate

REGION = "us-east-1"


@dataclass(frozen=True)
class Price:
    """US dollars for `per` units; `read_from` is a page's address, `dated` its date."""

    what: str
    usd: float
    per: int
    unit: str
    read_from: str | None
    dated: str = "undated"
    region: str = REGION

    @property
    def verified(self) -> bool:
        """Whether a page told it."""
        return self.read_from is not None


_FACTUALMINDS = "https://www.factualminds.com/blog"
_LAMBDA_PAGE = (
    "https://git.mcrn.ar/mariano/lambda_local_runner/src/branch/main/docs/lambdas-md/"
    "lambda-13-cost.md"
)
_S3_PAGE = (
    "https://devnotes.tech/understanding-aws-s3-pricing-a-complete-cost-breakdown-with-examples"
)
_DYNAMODB_PAGE = "https://airbyte.com/data-engineering-resources/dynamodb-pricing"

PRICES: dict[str, Price] = {
    "transitions": Price(
        "Step Functions: state transitions",
        0.025,
        1000,
        "transitions",
        "https://aws.amazon.com/step-functions/pricing/",
    ),
    "invocations": Price(
        "Lambda: invocations", 0.20, 1_000_000, "invocations", _LAMBDA_PAGE, "2026-05-11"
    ),
    "gb_seconds": Price(
        "Lambda: duration (arm64)", 0.0000133334, 1, "GB-seconds", _LAMBDA_PAGE, "2026-05-11"
    ),
    "storage_gb_seconds": Price(
        "Lambda: ephemeral storage above 512 MB", 0.0000000309, 1, "GB-seconds", None
    ),
    "s3_writes": Price("S3: PUT, COPY, POST, LIST", 0.005, 1000, "requests", _S3_PAGE),
    "s3_reads": Price("S3: GET, HEAD", 0.0004, 1000, "requests", _S3_PAGE),
    "s3_storage": Price("S3: storage, first month", 0.023, 1, "GB-months", _S3_PAGE),
    "write_units": Price(
        "DynamoDB: write units", 0.625, 1_000_000, "units", _DYNAMODB_PAGE, "2025-07-21"
    ),
    "read_units": Price(
        "DynamoDB: read units", 0.125, 1_000_000, "units", _DYNAMODB_PAGE, "2025-07-21"
    ),
    "publishes": Price(
        "SNS: publishes",
        0.50,
        1_000_000,
        "requests",
        f"{_FACTUALMINDS}/amazon-sns-pricing-publishes-fanout-protocols/",
        "2026-06-13",
    ),
    "emails": Price(
        "SNS: e-mails",
        2.00,
        100_000,
        "messages",
        f"{_FACTUALMINDS}/amazon-sns-pricing-publishes-fanout-protocols/",
        "2026-06-13",
    ),
    "sqs": Price(
        "SQS: requests",
        0.40,
        1_000_000,
        "requests",
        "https://cloudburn.io/blog/amazon-sqs-pricing",
        "2026-03-14",
    ),
    "logs": Price(
        "CloudWatch Logs: ingestion",
        0.50,
        1,
        "GB",
        f"{_FACTUALMINDS}/amazon-cloudwatch-pricing-metrics-logs-alarms-dashboards/",
    ),
    "traces": Price("X-Ray: traces recorded", 5.00, 1_000_000, "traces", None),
}


@dataclass(frozen=True)
class Line:
    """One line of a bill."""

    key: str
    price: Price
    quantity: float

    @property
    def usd(self) -> float:
        """What it comes to."""
        return self.quantity * self.price.usd / self.price.per


def bill(deployed: Deployed, one: Estimate, *, traced: float = 1.0) -> list[Line]:
    """What one file costs, without what is not asked for at all.

    `traced` is the share of executions that X-Ray records.
    """
    quantities = dict(_quantities(deployed, one, traced))
    return [Line(key, PRICES[key], quantity) for key, quantity in quantities.items() if quantity]


def _quantities(deployed: Deployed, one: Estimate, traced: float) -> Iterator[tuple[str, float]]:
    made = one.requests
    yield "transitions", one.transitions
    yield "invocations", one.lambda_invocations
    yield "gb_seconds", one.lambda_gb_seconds
    yield "storage_gb_seconds", sum(part.storage_gb_seconds for part in one.invocations)
    yield "s3_writes", total(made, *S3_WRITES)
    yield "s3_reads", total(made, *S3_READS)
    yield "s3_storage", one.stored_gb_months
    yield "write_units", one.write_units
    yield "read_units", one.read_units
    yield "publishes", made["sns:Publish"]
    yield "emails", made["sns:Publish"] if deployed.emails else 0
    yield "sqs", total(made, *SQS)
    yield "logs", one.log_bytes / 1e9
    yield "traces", traced


S3_WRITES = (
    "s3:PutObject",
    "s3:CopyObject",
    "s3:ListObjectsV2",
    "s3:CreateMultipartUpload",
    "s3:UploadPart",
    "s3:UploadPartCopy",
    "s3:CompleteMultipartUpload",
)
S3_READS = ("s3:GetObject", "s3:HeadObject")
SQS = ("s3:Notification", "sqs:ReceiveMessage", "sqs:DeleteMessageBatch", "sqs:SendMessage")
