"""Every case found so far is read correctly, and so are some that are drawn now."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from tests.fuzz.case import CORPUS, Case
from tests.fuzz.check import problem
from tests.fuzz.draw import draw
from tests.fuzz.minimise import minimise
from tests.fuzz.reader import Rules, read

DRAWN = 25


@pytest.mark.parametrize("path", sorted(CORPUS.glob("*.json")), ids=lambda path: path.stem)
def test_a_found_case_is_read_correctly(path: Path) -> None:
    assert problem(Case.from_text(path.read_text())) is None


def test_drawn_cases_are_read_correctly() -> None:
    """The same cases every time; `make fuzz` draws others."""
    found = {seed: problem(draw(Random(seed))) for seed in range(DRAWN)}
    assert {seed: text for seed, text in found.items() if text} == {}


@pytest.mark.parametrize(
    "cases",
    [
        pytest.param(range(DRAWN, 100), marks=pytest.mark.slow, id="slow"),
        pytest.param(range(100, 3000), marks=pytest.mark.long, id="long"),
    ],
)
def test_more_drawn_cases_are_read_correctly(cases: range) -> None:
    found = {seed: problem(draw(Random(seed))) for seed in cases}
    assert {seed: text for seed, text in found.items() if text} == {}


def test_a_case_is_drawn_again_from_its_seed_and_read_again_from_its_text() -> None:
    for seed in range(20):
        case = draw(Random(seed))
        assert case == draw(Random(seed))
        assert case == Case.from_text(case.to_text())


def test_a_case_is_minimised_to_what_makes_it_fail() -> None:
    case = Case(
        b"f0\nword,x\n1,2\n",
        {
            "dialect": {"delimiter": ","},
            "encoding": "utf-8",
            "schema": {"fields": [{"name": "f0", "type": "string"}]},
        },
        split=10,
        members=2,
    )
    small = minimise(case, lambda smaller: b"x" in smaller.content)
    assert small.content == b"x"
    assert (small.split, small.members, small.contract["dialect"]) == (0, 0, {})  # type: ignore[index]


@pytest.mark.parametrize(
    ("content", "dialect", "cells"),
    [
        (b'a,"b""c"\r\n"d\r\ne",f', {}, [("a", 'b"c'), ("d\r\ne", "f")]),
        (b"a;'b;c'", {"delimiter": ";", "quoteChar": "'"}, [("a", "b;c")]),
        (b'"a\\"b"\nc\\,d', {"escapeChar": "\\"}, [('a"b',), ("c,d",)]),
        (b"x\\\r\ny\nz", {"escapeChar": "\\"}, [("x\r\ny",), ("z",)]),
        (b'a, "b"\n a', {"skipInitialSpace": True}, [("a", "b"), ("a",)]),
        (b'"a"b"\n"c', {}, [None, None]),
        (b'"a""b"', {"doubleQuote": False}, [None]),
    ],
)
def test_the_independent_reader_reads_as_the_standards_say(
    content: bytes, dialect: dict[str, object], cells: list[tuple[str, ...] | None]
) -> None:
    rules = Rules.of({**dialect, "header": False}, "utf-8")
    table = read(content, rules, {"f0": lambda text: (text == "", frozenset())})
    assert [outcome.record.cells for outcome in table.outcomes] == cells
