"""Filter patterns of CloudWatch Logs, as its documentation describes them."""

from __future__ import annotations

import json

import pytest

from pipectl.embedded.log_patterns import PatternError, compiled

LINE = json.dumps(
    {
        "level": "ERROR",
        "message": "not handled",
        "status": 503,
        "retry": False,
        "cause": None,
        "where": {"key": "raw/orders/a[1].csv", "sizes": [3, 5]},
    }
)


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        ("", True),
        ("handled", True),
        ("handled ERROR", True),
        ("handled WARNING", False),
        ('"not handled"', True),
        ('"handled not"', False),
        ("ERROR -handled", False),
        ("ERROR -absent", True),
        ("?absent ?handled", True),
        ("?absent ?missing", False),
        ("?absent ERROR", True),
        ('{ $.level = "ERROR" }', True),
        ("{$.level=ERROR}", True),
        ('{ $.level = "ERR*" }', True),
        ('{ $.level = "ERROR" && $.message = "another" }', False),
        ('{ $.level = "WARNING" || $.message = "not *" }', True),
        ('{ ($.level = "WARNING" || $.status > 500) && $.status <= 503 }', True),
        ("{ $.status = 503 }", True),
        ("{ $.status != 503 }", False),
        ("{ $.status < 503 }", False),
        ("{ $.status >= 503.0 }", True),
        ('{ $.status = "503" }', False),
        ("{ $.absent != 503 }", False),
        ("{ $.absent NOT EXISTS }", True),
        ("{ $.level NOT EXISTS }", False),
        ("{ $.retry IS FALSE }", True),
        ("{ $.cause IS NULL }", True),
        ("{ $.level IS NULL }", False),
        ('{ $.where.key = "raw/orders/a[1].csv" }', True),
        ("{ $['where'].sizes[1] = 5 }", True),
        ("{ $.where.sizes[2] = 5 }", False),
        ("{ $.level.name = 5 }", False),
    ],
)
def test_a_line_matches_a_pattern(pattern: str, matches: bool) -> None:
    assert compiled(pattern)(LINE) is matches


@pytest.mark.parametrize("line", ["START RequestId: 1", "{half", "[]"])
def test_a_pattern_for_json_matches_no_other_line(line: str) -> None:
    assert not compiled("{ $.level NOT EXISTS }")(line)


@pytest.mark.parametrize(
    "pattern",
    [
        "{ $.level }",
        "{ $.level = }",
        '{ $.level = "ERROR"',
        '{ level = "ERROR" }',
        "{ $.status > high }",
        "{ $.level IS NICE }",
        '{ $.level LIKE "E" }',
        '{ $.level = "ERROR" } more',
        "{ $.level ; }",
        "[ip, user]",
        "%5..%",
    ],
)
def test_a_pattern_that_is_not_understood_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        compiled(pattern)
