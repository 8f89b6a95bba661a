"""The report of an estimate, as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pipectl.scale.billing import STORAGE, Prices, Quantity, quantities
from pipectl.scale.load_model import Estimate, estimate, file_of
from pipectl.scale.quotas import Load, loads_of_many, loads_of_one, per_second
from pipectl.scale.requests import S3_READS, S3_WRITES, SQS, total

if TYPE_CHECKING:
    from pipectl.scale.assumptions import Assumptions
    from pipectl.scale.deployed import Deployed

MONTH_DAYS = 30
# The state in which a file fails after only its head was read.
_FAILING_STATE = "ParseCsv"
_SHOWN_LOADS = 6
_SERVICES = {
    "S3": (*S3_READS, *S3_WRITES, "s3:DeleteObject"),
    "DynamoDB": ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
    "SQS": SQS,
    "SNS": ("sns:Publish",),
    "EventBridge": ("events:PutEvents",),
}
# X-Ray records one trace per second and 5 % of the others.
# https://docs.aws.amazon.com/xray/latest/devguide/xray-console-sampling.html
_TRACED_SHARE = 0.05


@dataclass(frozen=True)
class Demand:
    """Files of one kind: size in bytes, shares of records and of files, files per day."""

    size: int
    rows: int | None
    rejected: float
    failed: float
    files_per_day: float
    peak: float


@dataclass(frozen=True)
class Report:
    """The estimate for a demand: the time, what AWS bills, and the use of quotas."""

    demand: Demand
    assumptions: Assumptions
    one: Estimate
    billed: list[Quantity]
    prices: Prices
    many_loads: list[Load]
    file_loads: list[Load]

    def lines(self) -> Iterator[str]:
        """The report as text."""
        yield from self._takes()
        yield ""
        yield from self._billed()
        yield ""
        per_day = f"{self.demand.files_per_day:,.0f} files per day"
        yield f"Quotas, most used first, at {per_day}"
        yield from _load_lines(self.many_loads)
        yield ""
        yield "Limits, most used first, of a single file"
        yield from _load_lines(self.file_loads)
        yield ""
        yield "* This quota could not be looked up. Check it before you rely on it."

    def document(self) -> dict[str, Any]:
        """The report as JSON."""
        one = self.one
        return {
            "demand": asdict(self.demand),
            "assumptions": asdict(self.assumptions),
            "file": {
                "splits": len(one.file.splits),
                "split_bytes": one.file.splits[0],
                "output_bytes": sum(one.file.output),
                "states": list(one.route.states),
                "state_transitions": one.transitions,
                "history_events": one.history_events,
                "wall_seconds": one.wall_seconds,
                "lambda_invocations": one.lambda_invocations,
                "lambda_gb_seconds": one.lambda_gb_seconds,
                "functions": [
                    {
                        "function": part.function.logical_id,
                        "invocations": part.count,
                        "seconds": part.seconds,
                        "gb_seconds": part.gb_seconds,
                    }
                    for part in one.invocations
                ],
                "requests": dict(sorted(one.requests.items())),
                "dynamodb_write_units": one.write_units,
                "dynamodb_read_units": one.read_units,
                "log_bytes": one.log_bytes,
            },
            "billed": [
                {
                    "key": quantity.key,
                    "what": quantity.what,
                    "unit": quantity.unit,
                    "file": quantity.file,
                    "month": quantity.month,
                }
                for quantity in self.billed
            ],
            "cost": self._cost_document(),
            "quotas": [_load_document(load) for load in self.many_loads],
            "limits": [_load_document(load) for load in self.file_loads],
        }

    def cost(self, *, of_month: bool = False, without: str | None = None) -> float:
        """The cost of a file, or of all files of 30 days, optionally without one item."""
        return sum(
            self.prices.cost(one, one.month if of_month else one.file) or 0.0
            for one in self.billed
            if one.key != without
        )

    @property
    def unpriced(self) -> list[Quantity]:
        """The billed items without a price."""
        return [one for one in self.billed if self.prices.cost(one, 1) is None]

    def _cost_document(self) -> dict[str, Any] | None:
        if not self.prices.unit_prices:
            return None
        return {
            "currency": self.prices.currency,
            "source": self.prices.source,
            "file": self.cost(),
            "file_without_storage": self.cost(without=STORAGE),
            "month": self.cost(of_month=True),
            "without_price": [one.key for one in self.unpriced],
        }

    def _takes(self) -> Iterator[str]:
        one, size = self.one, self.demand.size
        splits = len(one.file.splits)
        yield (
            f"A file of {_bytes(size)}"
            + (f", {splits:,} splits of {_bytes(one.file.splits[0])}" if splits > 1 else "")
        )
        requests = [
            (f"{service} requests", total(one.requests, *operations))
            for service, operations in _SERVICES.items()
        ]
        rows: list[tuple[str, str]] = [
            ("time", _seconds(one.wall_seconds)),
            ("output", _bytes(sum(one.file.output))),
            ("state transitions", f"{one.transitions:,}"),
            ("Lambda invocations", f"{one.lambda_invocations:,}"),
            ("Lambda GB-seconds", f"{one.lambda_gb_seconds:,.1f}"),
            *((name, f"{count:,}") for name, count in requests),
        ]
        yield from table(rows, "<>")

    def _billed(self) -> Iterator[str]:
        month = f"{MONTH_DAYS} days"
        priced = bool(self.prices.unit_prices)
        yield "What AWS bills"
        rows = [["", "per file", month, "unit"]]
        rows += [[one.what, number(one.file), number(one.month), one.unit] for one in self.billed]
        if not priced:
            yield from table(rows, "<>><")
            yield "  For costs, pass the prices of your region: --prices FILE"
            return
        currency = self.prices.currency
        rows[0] += [f"{currency} per file", f"{currency} {month}"]
        for row, one in zip(rows[1:], self.billed, strict=True):
            row += [money(self.prices.cost(one, one.file), 6)]
            row += [money(self.prices.cost(one, one.month), 2)]
        for name, without in (("total", None), ("of which processing", STORAGE)):
            file = self.cost(without=without)
            whole = self.cost(of_month=True, without=without)
            rows.append([name, "", "", "", money(file, 6), money(whole, 2)])
        yield from table(rows, "<>><>>")
        if self.prices.source:
            yield f"  Prices: {self.prices.source}"
        if self.unpriced:
            names = ", ".join(one.what for one in self.unpriced)
            yield f"  Not in the total, since they have no price: {names}"


def report_of(
    deployed: Deployed, demand: Demand, assumptions: Assumptions, prices: Prices
) -> Report:
    """Estimate a demand on a deployed stack."""
    file = file_of(
        deployed, assumptions, size=demand.size, rows=demand.rows, rejected=demand.rejected
    )
    one = estimate(deployed, file, assumptions)
    failed = estimate(deployed, file, assumptions, fails_at=_FAILING_STATE)
    rate = per_second(demand.files_per_day, 1)
    traced = min(1.0, 1 / rate) if rate > 1 else 1.0
    traced = min(1.0, traced + _TRACED_SHARE * (1 - traced))
    of_good = quantities(deployed, one, traced=traced)
    of_failed = quantities(deployed, failed, traced=traced)
    files = demand.files_per_day * MONTH_DAYS
    billed = [
        Quantity(
            key,
            of_good.get(key, 0.0),
            files
            * (
                of_good.get(key, 0.0) * (1 - demand.failed)
                + of_failed.get(key, 0.0) * demand.failed
            ),
        )
        for key in dict.fromkeys((*of_good, *of_failed))
    ]
    return Report(
        demand,
        assumptions,
        one,
        billed,
        prices,
        loads_of_many(
            deployed,
            one,
            assumptions,
            files_per_second=per_second(demand.files_per_day, demand.peak),
        ),
        loads_of_one(deployed, one, assumptions),
    )


def _load_document(load: Load) -> dict[str, Any]:
    return {
        **asdict(load.quota),
        "verified": load.quota.verified,
        "load": load.load,
        "share": load.share,
    }


def _load_lines(loads: Sequence[Load]) -> Iterator[str]:
    shown = loads[:_SHOWN_LOADS]
    rows = [
        (
            f"{load.share:.1%}",
            load.quota.what + ("" if load.quota.verified else " *"),
            f"{number(load.load)} of {number(load.quota.limit)} {load.quota.unit}",
        )
        for load in shown
    ]
    yield from table(rows, "><>")
    if shown and shown[0].share >= 1:
        for load in shown:
            if load.share >= 1:
                yield f"  {load.quota.what}: {load.quota.remedy}"


def table(rows: Sequence[Sequence[str]], sides: str) -> Iterator[str]:
    """Rows of aligned columns; `sides` has < (left) or > (right) for each."""
    widths = [max(len(row[column]) for row in rows) for column in range(len(sides))]
    for row in rows:
        cells = (
            f"{cell:{side}{width}}" for cell, side, width in zip(row, sides, widths, strict=True)
        )
        yield f"  {'  '.join(cells)}".rstrip()


def _bytes(size: float) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("KB", 1e3)):
        if size >= factor:
            return f"{size / factor:,.4g} {unit}"
    return f"{size:,.0f} bytes"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:,.0f} min"


def money(amount: float | None, digits: int) -> str:
    """An amount with as many decimals; empty for None."""
    return "" if amount is None else f"{amount:,.{digits}f}"


def number(value: float) -> str:
    """A quantity with separators, or three significant digits."""
    if value >= 1000 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
