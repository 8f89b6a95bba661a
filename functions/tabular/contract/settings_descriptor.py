"""The pipeline's own settings in a contract: the object named `pipeline`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, cast

from tabular.contract.problems import Node, shown
from tabular.model import ColumnPolicy, Contract, NamePolicy, RecordShape, VersionPolicy

if TYPE_CHECKING:
    from collections.abc import Collection

_SETTINGS = (
    "maxRejectPercent",
    "maxRejectCount",
    "extraColumns",
    "missingColumns",
    "neutraliseFormulas",
    "outputFormat",
    "outputNames",
    "record",
    "versions",
    "reportExamples",
    "freshness",
)
_MAY_HAVE_EXTRA = ("subset", "partial")
_MAY_LACK = ("superset", "partial")
_COLUMN_POLICIES = ("fail", "drop", "keep")
_PERCENT = 100
_MAX_HOURS = 8784  # a leap year


def with_settings(contract: Contract, node: Node, output_formats: Collection[str]) -> Contract:
    """Add the settings of a `pipeline` object to a contract.

    `output_formats` are the names that `outputFormat` may have.
    """
    node.check_names(_SETTINGS, refused={}, strict=True)
    match = contract.fields_match
    output_format = node.choice("outputFormat", output_formats, "")
    return replace(
        contract,
        max_reject_percent=_read_percent(node),
        max_reject_count=node.integer("maxRejectCount", lowest=-1),
        extra_columns=_read_policy(node, "extraColumns", match, _MAY_HAVE_EXTRA, "drop"),
        missing_columns=_read_policy(node, "missingColumns", match, _MAY_LACK, "keep"),
        neutralise_formulas=node.choice("neutraliseFormulas", ("off", "prefix"), "off") == "prefix",
        output_format=output_format or None,
        output_names=cast(
            "NamePolicy", node.choice("outputNames", ("cleaned", "original"), "cleaned")
        ),
        record=cast("RecordShape", node.choice("record", ("envelope", "flat"), "envelope")),
        versions=cast("VersionPolicy", node.choice("versions", ("latest", "all"), "latest")),
        freshness=_read_freshness(node),
        report_examples=node.choice("reportExamples", ("first", "none"), "first") == "first",
    )


def _read_percent(node: Node) -> float | None:
    if not node.has("maxRejectPercent"):
        return None
    value = node.properties["maxRejectPercent"]
    number = _number(value)
    if not 0 <= number <= _PERCENT:
        node.wrong("maxRejectPercent", f"expected a number from 0 to 100, found {shown(value)}")
        return None
    return number


def _read_freshness(node: Node) -> float | None:
    """Read the hours after which a dataset without a successful file is reported."""
    if not node.has("freshness"):
        return None
    value = node.properties["freshness"]
    number = _number(value)
    if not 0 < number <= _MAX_HOURS:
        expected = f"a number of hours, more than 0 and at most {_MAX_HOURS}"
        node.wrong("freshness", f"expected {expected}, found {shown(value)}")
        return None
    return number


def _number(value: object) -> float:
    """The value as a float; -1 if it is not a number."""
    try:
        return float(value) if not isinstance(value, bool | str) else -1.0  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return -1.0


def _read_policy(
    node: Node, name: str, match: str, allowing: tuple[str, ...], default: ColumnPolicy
) -> ColumnPolicy:
    """Read the policy for columns; `default` applies to those that `fieldsMatch` accepts."""
    policy = node.choice(name, _COLUMN_POLICIES, default if match in allowing else "fail")
    if policy == "fail" and match in allowing:
        message = f"expected drop or keep, found 'fail': fieldsMatch {match} lets such columns pass"
        node.wrong(name, message)
    return cast("ColumnPolicy", policy)
