"""The `pattern` constraint: its meaning, refused patterns with the reason, and linear time."""

from __future__ import annotations

import re
import time

import polars as pl
import pytest

from tabular.errors import InvalidContract
from tabular.values.pattern_syntax import MAX_POSITIONS, translate
from tabular.values.patterns import _SURE, _SURE_POSITIONS, MAX_CHARACTERS, compile_pattern
from tests.unit.tabular.engine import contract_of, run


@pytest.mark.parametrize(
    ("pattern", "matching", "others"),
    [
        ("a|b", ["a", "b"], ["ab", ""]),
        ("^a$", ["a"], ["a\n", "ba"]),
        (r"\d{2,}", ["12", "٣٤", "123"], ["1", "½½"]),
        ("[a-z-[aeiou]]+", ["xyz"], ["xay", "-"]),
        ("[^a-z-[0-9]]", ["A", "-"], ["a", "5"]),
        (r"\i\c*", ["_a-1", "é.x"], ["1a", "-a", ""]),
        (r"\p{Lu}\P{Lu}", ["Aa", "Ä1"], ["aa", "AA"]),
        (r"[\P{L}\C]+", ["1 "], ["a"]),
        # What Rust takes for set operations, nested classes and word boundaries is literal.
        ("[a&&b]+", ["a&b"], ["c"]),
        ("[+--]", ["+", ",", "-"], ["."]),
        ("[a~~b]+", ["~a"], ["c"]),
        ("[[]+", ["[["], ["]"]),
        ("[]a]+", ["]a"], ["["]),
        (r"\<a\>", ["<a>"], ["a"]),
        ("a{", ["a{"], ["a"]),
        ("{}x{,2}", ["{}", "{}xx"], ["{}xxx"]),
        (r"(?i)straße", ["STRAßE"], ["strasse"]),
        ("(?i:a)b", ["Ab", "ab"], ["AB"]),
        ("(?P<year>[0-9]{4})(?:-[0-9]{2})?", ["2024", "2024-05"], ["24"]),
        (r"a.b", ["a\tb", "a\rb"], ["a\nb"]),
        (r"\x41\u00e9\U0001F600\012\0", ["Aé😀\n\0"], ["A"]),
        (r"[\b\t]", ["\b", "\t"], ["b"]),
        (r"x{0}y", ["y"], ["xy"]),
        ("", [""], ["a"]),
    ],
)
def test_a_pattern_matches_whole_values(
    pattern: str, matching: list[str], others: list[str]
) -> None:
    compiled = compile_pattern(pattern)
    assert [text for text in [*matching, *others] if compiled.matches(text)] == matching
    column = pl.Series([*matching, *others]).str.contains(compiled.expression)
    assert column.to_list() == [True] * len(matching) + [False] * len(others)


@pytest.mark.parametrize(
    ("pattern", "reason"),
    [
        ("(?=a)a", "lookahead"),
        ("(?!a)b", "lookahead"),
        ("(?<=a)b", "lookbehind"),
        ("(?<!a)b", "lookbehind"),
        (r"(a)\1", r"backreferences such as \\1"),
        ("(?P<n>a)(?P=n)", "backreferences"),
        ("(?>a)", "atomic groups"),
        ("(a)(?(1)b|c)", "conditional groups"),
        ("a++", "possessive repetitions"),
        ("(?x) a", "not of a supported kind"),
        ("a(?i)b", "must be the first thing"),
        (r"\p{IsGreek}", "block names"),
        (r"\p{Xx}", "no category"),
        (r"\p{}", "must be followed by a category"),
        (r"\q", r"no escape \\q"),
        (r"\ud800", "is no character"),
        ("[z-a]", "wrong order"),
        (r"[\w-.]", "range of a set"),
        ("a{3,2}", "wrong order"),
        ("*a", "nothing to repeat"),
        ("a|*", "nothing to repeat"),
        ("^*", "nothing to repeat"),
        ("a**", "follows another one"),
        ("(a", "not closed"),
        ("a)", "closes no group"),
        ("[a", "ends within"),
        ("a\\", "ends within"),
        ("[a-[b]c]", "last part of a class"),
        ("(" * 101 + ")" * 101, "nested more than 100"),
        ("[a-" * 101 + "[b" + "]" * 102, "nested more than 100"),
        (f"a{{{MAX_POSITIONS + 1}}}", "minLength and maxLength"),
        ("((a{100}){100}){100}", "minLength and maxLength"),
        ("(|){99999999999999999999999999}", "minLength and maxLength"),
        ("x{" + "9" * 9000 + "}", "minLength and maxLength"),
        (r"\w{1000}", r"\[A-Za-z0-9_\] instead of \\w"),
        ("a" * (MAX_CHARACTERS + 1), "the limit is 10000"),
    ],
)
def test_an_invalid_pattern_is_an_invalid_contract(pattern: str, reason: str) -> None:
    with pytest.raises(InvalidContract) as raised:
        contract_of({"name": "f", "type": "string", "constraints": {"pattern": pattern}})
    [(place, problem)] = raised.value.problems
    assert place == "schema.fields[0].constraints.pattern"
    assert re.search(reason, problem)
    assert len(problem) < 400


def test_patterns_take_linear_time_on_every_path() -> None:
    field = {"name": "f", "type": "string", "constraints": {"pattern": "(a+)+b|(.*x){20}y"}}
    hostile = b"a" * 2_000_000
    started = time.process_time()
    columns = run(b"f\n" + hostile + b"\n", contract_of(field))
    # The record is too long for the header, so its cells are looked at one by one.
    alone = run(b"f\n" + hostile + b",\n", contract_of(field))
    assert time.process_time() - started < 10
    assert [reject["errors"][0]["code"] for reject in columns.rejects] == ["constraint-error"]
    assert {fault["code"] for fault in alone.rejects[0]["errors"]} >= {"constraint-error"}


def test_the_time_of_the_worst_pattern_is_linear_in_the_text() -> None:
    compiled = compile_pattern(rf"(.*1.{{{MAX_POSITIONS - 10}}})+")
    seconds = []
    for size in (2_000, 20_000):
        started = time.process_time()
        assert not compiled.matches("01" * size + "\n")
        seconds.append(time.process_time() - started)
    assert seconds[1] < 40 * seconds[0] + 0.1


def test_texts_that_are_matched_together_give_the_same_results() -> None:
    together, alone = compile_pattern("[ab]+c?"), compile_pattern("(?:[ab])+c?")
    texts = ["a", "bc", "c", "", "é", "a", "abcc"]
    together.look_at(texts)
    assert [together.matches(text) for text in texts] == [alone.matches(text) for text in texts]


def test_faults_name_long_rules_shortened() -> None:
    field = {
        "name": "f",
        "type": "string",
        "constraints": {"pattern": "a" * 1500, "enum": ["x" * 5000, "y"]},
    }
    [reject] = run(b"f\nb\n", contract_of(field)).rejects
    assert [len(fault["message"]) < 300 for fault in reject["errors"]] == [True, True]


@pytest.mark.parametrize(
    "pattern", [r"\d{200}", r"(?:[\da-zA-Z_.\-]{9}|\d+?){20}", "(((a?|b){3}c){4}|[0-9A-F]?){5}"]
)
def test_the_engine_accepts_patterns_that_are_accepted_without_asking_it(pattern: str) -> None:
    translated = translate(pattern)
    assert translated.positions <= _SURE_POSITIONS
    assert _SURE.fullmatch(translated.text)
    assert pl.Series(["-"]).str.contains(compile_pattern(pattern).expression).to_list() == [False]
