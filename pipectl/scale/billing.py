"""What AWS bills for a file: quantities in AWS's units, and their cost at given prices.

The project contains no prices. They differ by region and change, and only AWS's own pages are
authoritative: https://aws.amazon.com/pricing/. `read_prices` reads those that you looked up.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipectl.errors import UsageError
from pipectl.scale.requests import S3_READS, S3_WRITES, SQS, total

if TYPE_CHECKING:
    from pipectl.scale.deployed import Deployed
    from pipectl.scale.load_model import Estimate

ITEMS: Mapping[str, tuple[str, str]] = {
    "transitions": ("Step Functions: state transitions", "transitions"),
    "invocations": ("Lambda: invocations", "invocations"),
    "gb_seconds": ("Lambda: duration (arm64)", "GB-seconds"),
    "storage_gb_seconds": ("Lambda: ephemeral storage above 512 MB", "GB-seconds"),
    "s3_writes": ("S3: PUT, COPY, POST, LIST", "requests"),
    "s3_reads": ("S3: GET, HEAD", "requests"),
    "s3_storage": ("S3: storage, first month", "GB-months"),
    "write_units": ("DynamoDB: write units", "units"),
    "read_units": ("DynamoDB: read units", "units"),
    "publishes": ("SNS: publishes", "requests"),
    "emails": ("SNS: e-mails", "messages"),
    "events": ("EventBridge: custom events", "events"),
    "sqs": ("SQS: requests", "requests"),
    "glue": ("Glue Data Catalog: requests", "requests"),
    "logs": ("CloudWatch Logs: ingestion", "GB"),
    "traces": ("X-Ray: traces recorded", "traces"),
    "log_storage": ("CloudWatch Logs: storage", "GB-months"),
    "metrics": ("CloudWatch: custom metrics", "metrics"),
    "alarm_metrics": ("CloudWatch: metrics of alarms", "metrics"),
    "dashboards": ("CloudWatch: dashboards", "dashboards"),
    "keys": ("KMS: keys", "keys"),
    "secrets": ("Secrets Manager: secrets", "secrets"),
}
"""The billed items by key: name and unit."""

STORAGE = "s3_storage"
"""The item whose cost grows with time, not with processing."""


@dataclass(frozen=True)
class Quantity:
    """The quantity of one item, for one file and for all files of 30 days."""

    key: str
    file: float
    month: float

    @property
    def what(self) -> str:
        """The item's name."""
        return ITEMS[self.key][0]

    @property
    def unit(self) -> str:
        """The item's unit."""
        return ITEMS[self.key][1]


@dataclass(frozen=True)
class Prices:
    """Prices per unit by the items' keys, in one currency, with their source."""

    unit_prices: Mapping[str, float] = field(default_factory=dict)
    currency: str = "USD"
    source: str = ""

    def cost(self, quantity: Quantity, count: float) -> float | None:
        """The cost of `count` units; None without a price."""
        price = self.unit_prices.get(quantity.key)
        return None if price is None else price * count


def read_prices(path: Path) -> Prices:
    """Read a price file: `{"currency", "source", "prices": {"transitions": {"price", "per"}}}`.

    `per` is the number of units that the price is for, 1 if left out. Raises `UsageError` if
    the file can't be read or is invalid.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        given: Mapping[str, Any] = document["prices"]
        unknown = sorted(set(given) - set(ITEMS))
        if unknown:
            known = ", ".join(ITEMS)
            raise UsageError(f"{path}: {unknown[0]} is not a billed item. The items are {known}.")
        unit_prices = {key: _unit_price(price) for key, price in given.items()}
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} can't be read: {type(error).__name__}.") from None
    except (ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
        raise UsageError(
            f"{path} is not a price file, which is a JSON object such as "
            '{"currency": "USD", "source": "...", '
            '"prices": {"transitions": {"price": 0.01, "per": 1000}}}.'
        ) from None
    return Prices(
        unit_prices, str(document.get("currency", "USD")), str(document.get("source", ""))
    )


def _unit_price(given: Any) -> float:
    price, per = (given["price"], given.get("per", 1)) if isinstance(given, dict) else (given, 1)
    if isinstance(price, bool) or isinstance(per, bool) or float(price) < 0 or float(per) < 0:
        raise ValueError
    return float(price) / float(per)


def quantities(deployed: Deployed, one: Estimate, *, traced: float = 1.0) -> dict[str, float]:
    """The billed quantities of one file by item, without those that are 0.

    `traced` is the share of executions that X-Ray records.
    """
    return {key: count for key, count in _quantities(deployed, one, traced) if count}


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
    yield "events", made["events:PutEvents"]
    yield "sqs", total(made, *SQS)
    yield "glue", made["glue:GetTable"]
    yield "logs", one.log_bytes / 1e9
    yield "traces", traced
