"""How many rejects a whole file may have."""

from __future__ import annotations

from typing import Any

import pytest

from tabular.errors import TooManyRejects
from tabular.threshold import check_rejects


@pytest.mark.parametrize(
    ("records", "errors", "limits"),
    [
        (100, 5, {"max_percent": 5.0}),
        (10_000, 57, {"max_percent": 0.57}),
        (10, 3, {"max_count": 3}),
        (10, 10, {"max_percent": 100.0}),
        (10, 10, {}),
        (0, 0, {"max_percent": 0.0, "max_count": 0}),
    ],
)
def test_as_many_rejects_as_the_limit_says_pass(
    records: int, errors: int, limits: dict[str, Any]
) -> None:
    check_rejects(records, errors, **limits)


@pytest.mark.parametrize(
    ("records", "errors", "limits", "words"),
    [
        (100, 6, {"max_percent": 5.0}, "at most 5% may be"),
        (10_000, 58, {"max_percent": 0.57}, "at most 0.57% may be"),
        (10, 4, {"max_count": 3}, "4 of 10 records were rejected, at most 3 may be"),
        (10, 1, {"max_count": 0}, "at most 0 may be"),
    ],
)
def test_one_more_than_the_limit_says_does_not(
    records: int, errors: int, limits: dict[str, Any], words: str
) -> None:
    with pytest.raises(TooManyRejects, match=words):
        check_rejects(records, errors, **limits)


def test_a_count_of_minus_one_is_no_limit() -> None:
    check_rejects(10, 0, max_count=-1)
    check_rejects(10, 9, max_count=-1)
