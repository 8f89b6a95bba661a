"""How many rejects a whole file may have."""

from __future__ import annotations

from typing import Any

import pytest

from tabular.errors import TooManyRejects
from tabular.statistics.threshold import check_rejects, check_rejects_so_far, may_reject_all
from tests.unit.tabular.engine import contract_of


@pytest.mark.parametrize(
    ("records", "errors", "limits"),
    [
        (100, 5, {"max_percent": 5.0}),
        (10_000, 57, {"max_percent": 0.57}),
        (10, 3, {"max_count": 3}),
        (10, 9, {"max_percent": 100.0}),
        (10, 10, {"max_percent": 100.0, "may_reject_all": True}),
        (10, 9, {}),
        (0, 0, {"max_percent": 0.0, "max_count": 0}),
    ],
)
def test_as_many_rejects_as_the_limit_pass(
    records: int, errors: int, limits: dict[str, Any]
) -> None:
    check_rejects(records, errors, **limits)


@pytest.mark.parametrize(
    ("records", "errors", "limits", "words"),
    [
        (100, 6, {"max_percent": 5.0}, "the limit is 5%"),
        (10_000, 58, {"max_percent": 0.57}, "the limit is 0.57%"),
        (10, 4, {"max_count": 3}, r"4 of 10 records \(40%\) were rejected; the limit is 3"),
        (10, 1, {"max_count": 0}, "the limit is 0"),
        (10, 10, {"max_percent": 100.0}, '"maxRejectPercent": 100 in the dataset'),
        (1, 1, {}, r"1 of 1 records \(100%\) were rejected"),
        (10, 10, {"max_count": 10}, r"10 of 10 records \(100%\) were rejected"),
    ],
)
def test_one_reject_more_than_the_limit_fails(
    records: int, errors: int, limits: dict[str, Any], words: str
) -> None:
    with pytest.raises(TooManyRejects, match=words):
        check_rejects(records, errors, **limits)


@pytest.mark.parametrize(
    ("limits", "details"),
    [
        ({"max_percent": 5.0}, {"limit_percent": 5.0}),
        ({"max_count": 3}, {"limit_count": 3}),
        ({}, {}),
    ],
)
def test_the_error_has_its_numbers(limits: dict[str, Any], details: dict[str, float]) -> None:
    with pytest.raises(TooManyRejects) as caught:
        check_rejects(10, 10, **limits)
    assert caught.value.details == {"records": 10, "rejected": 10, **details}


def test_a_count_of_minus_one_means_no_limit() -> None:
    check_rejects(10, 0, max_count=-1)
    check_rejects(10, 9, max_count=-1)


@pytest.mark.parametrize(
    ("settings", "may"),
    [
        (None, False),
        ({}, False),
        ({"maxRejectPercent": 99.9}, False),
        ({"maxRejectCount": -1}, False),
        ({"maxRejectPercent": 100}, True),
    ],
)
def test_only_a_contract_of_100_percent_lets_every_record_be_rejected(
    settings: dict[str, Any] | None, may: bool
) -> None:
    contract = None if settings is None else contract_of({"name": "a"}, pipeline=settings)
    assert may_reject_all(contract) is may


@pytest.mark.parametrize(
    ("limits", "most_records", "errors", "words"),
    [
        ({"maxRejectCount": 5}, None, 6, "the limit is 5"),
        ({"maxRejectPercent": 1}, 1_000, 11, "fewer than 1000 records"),
    ],
)
def test_a_limit_that_will_certainly_be_exceeded_stops_the_split(
    limits: dict[str, Any], most_records: int | None, errors: int, words: str
) -> None:
    contract = contract_of({"name": "a"}, pipeline=limits)
    for count in range(errors):
        check_rejects_so_far(contract, most_records=most_records, error_count=count)
    with pytest.raises(TooManyRejects, match=words):
        check_rejects_so_far(contract, most_records=most_records, error_count=errors)


@pytest.mark.parametrize("limits", [{}, {"maxRejectPercent": 1}, {"maxRejectPercent": 100}])
def test_a_limit_that_is_not_certainly_exceeded_does_not_stop_the_split(
    limits: dict[str, Any],
) -> None:
    contract = contract_of({"name": "a"}, pipeline=limits)
    check_rejects_so_far(contract, most_records=None, error_count=10**9)
    check_rejects_so_far(contract, most_records=10**9, error_count=10**7)
