"""The report of a file for people: its sections, its numbers, its safety and its size."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Any

import pytest

from data_report.page import MAX_BYTES, render
from tabular.statistics.reject_examples import Example
from tests.unit.functions.report_pages import FILE_ID, page_of, read, report, summary_of
from tests.unit.tabular.engine import contract_of

PEOPLE = contract_of(
    {"name": "id", "type": "integer", "constraints": {"minimum": 5}},
    {"name": "amount", "type": "number"},
    {"name": "state", "type": "string", "constraints": {"enum": ["new", "old"]}},
)
ROWS = "id,amount,state\n" + "".join(
    f"{n},{'x' if n % 9 == 0 else n * 1.5},{'odd' if n % 7 == 0 else 'new'}\n" for n in range(1, 61)
)
EVIL = "<script>alert(1)</script><img src=x onerror=alert(1)>'\"&\u202e\x1b[2J\u200b"
FILES = {"files": 12, "since": "2026-01-01T00:00:00.000Z"}


def figures(value: float, median: float, lowest: float, highest: float) -> dict[str, float]:
    return {"value": value, "median": median, "lowest": lowest, "highest": highest}


def test_the_sections_are_in_the_order_in_which_people_ask() -> None:
    assert report(ROWS.encode(), PEOPLE).headings() == [
        "Verdict",
        "Against the usual",
        "What was wrong",
        "Examples",
        "How to fix it",
        "Fields",
        "Columns",
        "Provenance",
    ]


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = render(*summary_of(ROWS.encode(), PEOPLE))
    parsed = read(page)
    assert not {"script", "link", "img", "iframe", "object", "form", "base"} & set(parsed.tags)
    names = {name for _, name, _ in parsed.attributes}
    assert not [name for name in names if name.startswith("on") or name in {"src", "style"}]
    assert {value[0] for _, name, value in parsed.attributes if name == "href"} == {"#"}
    assert not re.search(rb"@import|url\(|https?:", page)
    [policy] = [
        v for _, n, v in parsed.attributes if n == "content" and v.startswith("default-src")
    ]
    [style] = [text for tag, text in parsed.texts if tag == "style"]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy.split("; ") == [
        "default-src 'none'",
        "base-uri 'none'",
        "form-action 'none'",
        f"style-src 'sha256-{digest}'",
    ]


def test_every_link_in_the_page_has_its_target() -> None:
    page = report(ROWS.encode(), PEOPLE)
    ids = [value for _, name, value in page.attributes if name == "id"]
    assert len(ids) == len(set(ids))
    links = [value[1:] for _, name, value in page.attributes if name == "href"]
    titles = [value for _, name, value in page.attributes if name == "aria-labelledby"]
    assert set(links) | set(titles) <= set(ids)


@pytest.mark.parametrize(
    ("content", "sentence", "pill"),
    [
        (b"id,amount,state\n7,1,new\n8,1,new\n", "All 2 records were published.", "Published"),
        (b"id,amount,state\n7,1,new\n", "The only record was published.", "Published"),
        (
            b"id,amount,state\n7,1,new\n8,x,new\n",
            "1 of 2 records was published, and 1 was rejected (50%).",
            "Published, with rejects",
        ),
        (
            b"id,amount,state\n",
            "The file has a header and no records. An output without records was published.",
            "Published",
        ),
    ],
    ids=["clean", "one record", "with rejects", "no records"],
)
def test_the_verdict_is_one_sentence(content: bytes, sentence: str, pill: str) -> None:
    page = report(content, PEOPLE)
    assert [text for tag, text in page.texts if tag == "p"][1] == sentence
    assert pill in [text[2:] for tag, text in page.texts if tag == "span"]


@pytest.mark.parametrize(
    ("limit", "sentence", "label"),
    [
        ({"max_percent": 5.0, "max_count": None}, "At most 5% of the records", "limit 5%"),
        ({"max_percent": 100.0, "max_count": 12}, "At most 12 records", "limit 20%"),
        ({"max_percent": 5.0, "max_count": 12}, "At most 5% of the records and 12", "limit 5%"),
        ({"max_percent": 100.0, "max_count": None}, "No limit of rejected records", None),
    ],
)
def test_the_limit_is_stated_and_marked(
    limit: dict[str, Any], sentence: str, label: str | None
) -> None:
    page = report(ROWS.encode(), PEOPLE, limit=limit)
    assert sentence in page.text
    labels = [text for tag, text in page.texts if tag == "text" and text.startswith("limit")]
    assert labels == ([label] if label else [])


def test_the_rules_have_the_numbers_of_the_summary() -> None:
    summary, examples = summary_of(ROWS.encode(), PEOPLE)
    page = page_of(summary, examples)
    rules = [
        [
            rule["field"],
            str(rule["checked"]),
            str(rule["failed"]),
            f"{rule['failure_rate']:.2f}".rstrip("0").rstrip(".") + "%",
            ", ".join(map(str, rule["first_rows"][:3])) + ", \u2026",
        ]
        for rule in summary["rejects"]["by_rule"]
    ]
    shown = [[row[0], row[2], row[3], row[4], row[6]] for row in page.tables["wrong"][1:]]
    assert shown == rules
    assert len(rules) == 3
    assert (
        f"{summary['rejects']['faults']} faults in {summary['total_errors']} rejected" in page.text
    )


def test_the_fields_have_the_numbers_of_the_summary() -> None:
    summary, examples = summary_of(ROWS.encode(), PEOPLE)
    page = page_of(summary, examples)
    texts = [text for tag, text in page.texts if tag in {"dd", "bdi"}]
    for field in summary["field_statistics"].values():
        assert {str(field["count"]), str(field["distinct"])} <= set(texts)
    amount = summary["field_statistics"]["amount"]
    assert f"{amount['mean']:.4f}".rstrip("0") in texts
    counts = [row[1] for row in page.tables["fields"] if "\u2013" in row[0]]
    histograms = [
        count
        for field in summary["field_statistics"].values()
        for count in (field.get("histogram") or {"counts": []})["counts"]
    ]
    assert counts == list(map(str, histograms))


def test_an_example_has_location_value_message_and_text() -> None:
    page = report(ROWS.encode(), PEOPLE)
    first = next(row for row in page.tables["examples"] if row[0] == "9")
    assert first == ["9", "10", "x", "expected a numberRecord9,x,new"]
    assert f"pipectl rejects {FILE_ID}" in page.text


def test_more_records_than_examples_are_counted() -> None:
    page = report(b"id,amount,state\n" + b"7,x,new\n" * 25, PEOPLE)
    assert len(page.tables["examples"]) == 11
    assert "15 more records break this rule." in page.text


def test_a_short_row_is_one_problem_and_not_one_for_each_field() -> None:
    page = report(b"id,amount,state\n7\n8,1,new\n", PEOPLE)
    assert [row[0] for row in page.tables["wrong"][1:]] == ["amount, state"]


def test_every_code_that_occurs_is_explained() -> None:
    page = report(ROWS.encode() + b"70,1\n", PEOPLE)
    assert {row[0] for row in page.tables["fix"][1:]} == {
        "type-error",
        "constraint-error",
        "missing-cell",
    }
    assert f"pipectl correct {FILE_ID} {FILE_ID}.csv" in page.text


def test_without_history_the_page_says_so() -> None:
    assert "No history" in report(ROWS.encode(), PEOPLE).text


def test_unusual_figures_are_described_in_words() -> None:
    usual = FILES | {
        "rows": figures(60, 400, 360, 420),
        "bytes": figures(700, 650, 600, 800),
        "reject_rate": figures(20.0, 0.4, 0.0, 1.25),
        "null_rates": {
            "id": figures(0, 0, 0, 0),
            "state": figures(12.5, 1.0, 0.5, 3.0),
        },
    }
    rows = report(ROWS.encode(), PEOPLE, usual=usual).tables["usual"][1:]
    assert [(row[0], row[-1][2:]) for row in rows] == [
        ("Records", "lower than before"),
        ("Bytes", "as usual"),
        ("Share rejected", "higher than before"),
        ("Nulls in state", "higher than before"),
    ]
    assert rows[2][1:4] == ["20%", "0.4%", "0% \u2013 1.25%"]


def test_a_short_history_calls_no_file_unusual() -> None:
    usual = {
        "files": 4,
        "since": "2026-01-01T00:00:00.000Z",
        **dict.fromkeys(("rows", "bytes", "reject_rate"), figures(60, 1, 1, 1)),
        "null_rates": {},
    }
    page = report(ROWS.encode(), PEOPLE, usual=usual)
    assert {row[-1] for row in page.tables["usual"][1:]} == {""}


def test_columns_are_compared_with_the_contract() -> None:
    terms = contract_of(
        {"name": "id"}, {"name": "gone"}, fieldsMatch="partial", pipeline={"extraColumns": "keep"}
    )
    page = report(b"id,new\n1,2\n", terms)
    text = page.text
    assert "The header has 2 columns: 2 differences from the contract." in text
    assert [heading for tag, heading in page.texts if tag == "h3" and ":" in heading] == [
        "Missing: 1 ",
        "Kept: 1 ",
        "Matched: 1 ",
    ]


def test_text_from_strangers_is_text() -> None:
    header = '"' + EVIL.replace('"', '""') + '"'
    content = f"id,{header}\n" + "".join(f"{n},{header}\n" for n in range(3)) + f"1,2,{header}\n"
    summary, examples = summary_of(content.encode(), key=f"raw/{EVIL}/{EVIL}.csv")
    summary["file"]["contract_key"] = summary["file"]["contract_version"] = EVIL
    summary["columns"]["dropped"] = summary["columns"]["missing"] = [EVIL]
    summary["notes"] = [EVIL]
    page = render(summary, examples)
    parsed = read(page)
    clean = read(render(*summary_of(ROWS.encode(), PEOPLE)))
    assert set(parsed.tags) - set(clean.tags) <= {"path"}
    assert not [value for _, _, value in parsed.attributes if "alert" in value or "\\" in value]
    hidden = {c for c in page.decode() if not c.isprintable()} - {"\n"}
    assert hidden == set()
    assert parsed.text.count("<script>alert(1)</script>") > 8
    assert "\\u202e\\x1b[2J\\u200b" in parsed.text


@pytest.mark.parametrize("text", ["reject", "statistics"])
def test_without_examples_the_page_has_no_cell(text: str) -> None:
    terms = contract_of(
        {"name": "secret", "type": "string"},
        {"name": "pay", "type": "number"},
        pipeline={"reportExamples": "none", "maxRejectPercent": 100},
    )
    content = b"secret,pay\nAlice,98765.25\nAlice,98765.25\nBob,sixty-five\n"
    summary, examples = summary_of(content, terms)
    page = render(summary, examples).decode()
    for cell in ("Alice", "98765", "98,765", "Bob", "sixty-five"):
        assert cell not in page
        assert cell not in str(summary)
    assert "reportExamples: none" in page
    assert [row[6] for row in read(page.encode()).tables["wrong"][1:]] == ["3"]
    assert text


def wide(columns: int, *, value: str, name: str = "column") -> dict[str, Any]:
    """A summary of many columns, each with a histogram or ten frequent values."""
    summary, _ = summary_of(b"id,name\n" + b"".join(b"%d,a\n" % n for n in range(50)))
    number, text = summary["field_statistics"].values()
    number["histogram"] = {"edges": [n * 1234.5678 for n in range(21)], "counts": [123456] * 20}
    number |= {"quantiles": dict.fromkeys(("p5", "p25", "p50", "p75", "p95"), 1234.5678)}
    number |= {"quantile_relative_error": 0.004, "mean": 1.5, "standard_deviation": 2.5}
    text |= {"top_values": [{"value": value, "count": 123456}] * 10, "min": value, "max": value}
    names = [f"{name} {n}" for n in range(columns)]
    summary["field_statistics"] = {n: (number, text)[i % 2] for i, n in enumerate(names)}
    summary["columns"] = dict.fromkeys(("matched", "dropped", "missing", "kept"), names)
    summary["usual"] = FILES | {
        **dict.fromkeys(("rows", "bytes", "reject_rate"), figures(60, 1, 1, 1)),
        "null_rates": {n: figures(i % 90, 2, 1, 3) for i, n in enumerate(names[:300])},
    }
    return summary


def broken(summary: dict[str, Any], rules: int, text: str) -> dict[Any, list[Example]]:
    """Lets a million records break many rules, and returns ten examples of each."""
    summary |= {"total_input_rows": 2_000_000, "total_errors": 1_000_000}
    keys = [(f"{text[:50]} {n}", "constraint-error", "minimum") for n in range(rules)]
    summary["rejects"] = {
        "faults": 1_000_000 * rules,
        "by_code": {"constraint-error": 1_000_000 * rules},
        "by_rule": [
            {
                "field": key[0],
                "code": key[1],
                "rule": key[2],
                "checked": 2_000_000,
                "failed": 1_000_000,
                "failure_rate": 50.0,
                "faults": 1_000_000,
                "first_rows": list(range(1, 11)),
            }
            for key in keys
        ],
    }
    return {
        key: [Example(key, n, n + 1, text, text[:200], text) for n in range(1, 11)]
        for key in keys[:1000]
    }


@pytest.mark.parametrize(
    ("columns", "text"),
    [(1, "x" * 500), (200, "<" * 500), (200, "\u202e" * 500), (5_000, "\U0001f600" * 500)],
    ids=["narrow", "markup", "hidden", "very wide"],
)
def test_the_page_is_small_for_any_file(columns: int, text: str) -> None:
    summary = wide(columns, value=text[:60], name=text[:100])
    examples = broken(summary, columns * 3, text)
    page = render(summary, examples)
    assert len(page) < MAX_BYTES
    read(page)


def test_each_of_two_hundred_columns_has_a_card() -> None:
    summary = wide(200, value="a value of some length")
    page = page_of(summary, broken(summary, 600, "x" * 100))
    assert page.tags["article"] == 200


def test_columns_that_do_not_fit_are_counted() -> None:
    summary = wide(20_000, value="v" * 60)
    text = page_of(summary, broken(summary, 20_000, "x" * 500)).text
    counted = re.findall(r"([\d,]+) more (field|rule|column)", text)
    assert {what for _, what in counted} == {"field", "rule", "column"}
