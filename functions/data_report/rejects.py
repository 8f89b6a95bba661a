"""The rejected records: the broken rules, examples, and how to fix them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from data_report.budget import within
from data_report.charts import share
from data_report.formatting import count, counted, percent
from shared.markup import Html, code, data, el, join
from tabular.faults import ADVICE, RuleKey
from tabular.statistics.reject_examples import EXAMPLES_A_RULE, Example
from tabular.statistics.rules import joined_rules

_TABLE_BYTES = 120_000
_EXAMPLES_BYTES = 220_000
_OPEN_RULES = 3
_NAMED_FIELDS = 3

Summary = Mapping[str, Any]
Examples = Mapping[RuleKey, Sequence[Example]]
Rule = Mapping[str, Any]


def table(summary: Summary, examples: Examples) -> Html:
    """One row for each rule that records break, most frequent first."""
    rules = joined_rules(summary["rejects"]["by_rule"])
    if not rules:
        return el("p", "Nothing: every record follows every rule.")
    most = rules[0][0]["failure_rate"] or 1.0
    rows, more = within(_TABLE_BYTES, (_row(rule, names, examples, most) for rule, names in rules))
    head = el(
        "thead",
        el(
            "tr",
            el("th", "Field", scope="col"),
            el("th", "Rule", scope="col"),
            el("th", "Checked", scope="col", class_="n"),
            el("th", "Failed", scope="col", class_="n"),
            el("th", "Share", scope="col", class_="n"),
            el("td"),
            el("th", "First rows", scope="col"),
        ),
    )
    caption = el(
        "caption",
        f"{counted(summary['rejects']['faults'], 'fault')} in "
        f"{counted(summary['total_errors'], 'rejected record')}; a record can have several.",
    )
    rest = (
        el("p", f"{counted(len(rules) - len(rows), 'more rule')}: see the summary.", class_="soft")
        if more
        else None
    )
    return join([el("table", caption, head, el("tbody", *rows), class_="stack"), rest])


def examples(summary: Summary, found: Examples) -> Html:
    """The first records that break each rule, and the command that shows all of them."""
    rules = joined_rules(summary["rejects"]["by_rule"])
    file_id = summary["file"]["file_id"]
    if not rules:
        return el("p", "No record was rejected.")
    every = el(
        "p",
        f"All {counted(summary['total_errors'], 'rejected record')}: "
        if summary["total_errors"] > 1
        else "The rejected record: ",
        el("code", f"pipectl rejects {file_id}"),
        class_="soft",
    )
    if not summary["shows_values"]:
        hidden = "The contract's `reportExamples: none` keeps its cells out of the report."
        return join([el("p", code(hidden)), every])
    groups = (
        _group(rule, names, found, is_open=number < _OPEN_RULES)
        for number, (rule, names) in enumerate(rules)
        if _of(rule, found)
    )
    shown, more = within(_EXAMPLES_BYTES, groups)
    rest = (
        el("p", f"Examples of {counted(len(rules) - len(shown), 'more rule')} are not shown here.")
        if more
        else None
    )
    return join([every, *shown, rest])


def fixes(summary: Summary) -> Html:
    """What to do about each code, and how to correct the rejected records."""
    by_code: Mapping[str, int] = summary["rejects"]["by_code"]
    if not by_code:
        return el("p", "There is nothing to fix.")
    rows = [
        el(
            "tr",
            el("th", el("code", name, class_="k"), scope="row"),
            el("td", code(_sentence(ADVICE[name].when)), data_l="When"),
            el("td", code(_sentence(ADVICE[name].fix)), data_l="What to do"),
            el("td", count(times), class_="n", data_l="Faults"),
        )
        for name, times in sorted(by_code.items(), key=lambda pair: (-pair[1], pair[0]))
        if name in ADVICE
    ]
    head = el(
        "thead",
        el(
            "tr",
            el("th", "Code", scope="col"),
            el("th", "When", scope="col"),
            el("th", "What to do", scope="col"),
            el("th", "Faults", scope="col", class_="n"),
        ),
    )
    return join([el("table", head, el("tbody", *rows), class_="stack"), _correction(summary)])


def _correction(summary: Summary) -> Html:
    file_id = summary["file"]["file_id"]
    steps = (
        (
            "Save the rejected records as a CSV:",
            f"pipectl rejects {file_id} --csv > {file_id}.csv",
        ),
        ("Correct the cells, and leave out the rows that should stay rejected.", None),
        (
            "Send it. The whole file is processed again with the corrected rows in their places:",
            f"pipectl correct {file_id} {file_id}.csv",
        ),
    )
    items = [el("li", text, el("pre", command) if command else None) for text, command in steps]
    published = summary.get("published", True)
    key = el("code", data(summary["correction_key"], 300))
    other: list[str | Html] = ["Without ", el("code", "pipectl"), ": "]
    if published:
        other.append("the CSV is in the output bucket, and ")
    other += ["a corrected copy is uploaded to the input bucket, "]
    other += ["both as " if published else "as ", key, "."]
    return join(
        [
            el("h3", "Correct only the rejected records"),
            el("ol", *items, class_="do"),
            el("p", *other, class_="small soft"),
            el(
                "p",
                "Or correct the file and upload it under the same name: it replaces this output.",
                class_="small soft",
            )
            if published
            else None,
        ]
    )


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def _row(rule: Rule, names: Sequence[str | None], found: Examples, most: float) -> Html:
    first = _of(rule, found)
    rows = ", ".join(str(row) for row in rule["first_rows"][:_NAMED_FIELDS])
    more = rule["failed"] > min(len(rule["first_rows"]), _NAMED_FIELDS) and rows
    return el(
        "tr",
        el("th", _fields(names), scope="row"),
        el(
            "td",
            el("code", _title(rule)),
            join([" ", el("span", _expected(first[0].message), class_="small soft")])
            if first
            else None,
            data_l="Rule",
            class_="r",
        ),
        el("td", _known(rule["checked"], count), class_="n", data_l="Checked"),
        el("td", count(rule["failed"]), class_="n", data_l="Failed"),
        el("td", _known(rule["failure_rate"], percent), class_="n", data_l="Share"),
        el("td", share(rule["failure_rate"] or 0.0, most), class_="w"),
        el("td", rows + (", \u2026" if more else ""), data_l="First rows", class_="q"),
    )


def _known(figure: Any, shown: Callable[[Any], str]) -> str:
    """A figure, or a dash if the file was not read to its end."""
    return "\u2013" if figure is None else shown(figure)


def _expected(message: str) -> Html:
    """The message, unless it only repeats what the rule's name says."""
    return data(message, 160)


def _title(rule: Rule) -> str:
    """The rule that is broken; its code where no property of the contract is involved."""
    return str(rule["rule"] or rule["code"])


def _fields(names: Sequence[str | None]) -> Html:
    if names[0] is None:
        return el("span", "Whole record", class_="soft")
    shown = [data(name, 60) for name in names[:_NAMED_FIELDS]]
    written: list[str | Html] = []
    for name in shown:
        written += [", ", name] if written else [name]
    rest = len(names) - len(shown)
    return join([*written, f" and {count(rest)} more" if rest else None])


def _group(rule: Rule, names: Sequence[str | None], found: Examples, *, is_open: bool) -> Html:
    records = _of(rule, found)
    more = rule["failed"] - len(records)
    rest = f"{counted(more, 'more record')} {'breaks' if more == 1 else 'break'} this rule."
    return el(
        "details",
        el(
            "summary",
            _fields(names),
            " \u00b7 ",
            el("code", _title(rule)),
            el("span", f" \u00b7 {counted(rule['failed'], 'record')}", class_="soft"),
        ),
        el(
            "table",
            el(
                "thead",
                el(
                    "tr",
                    el("th", "Row", scope="col", class_="n p"),
                    el("th", "Line", scope="col", class_="n p"),
                    el("th", "Value", scope="col", class_="v"),
                    el("th", "Expected", scope="col"),
                ),
            ),
            el("tbody", *map(_record, records)),
            class_="stack",
        ),
        el("p", rest, class_="small soft") if more else None,
        class_="ex",
        open="" if is_open else None,
    )


def _record(example: Example) -> Html:
    if example.value is None:
        value = el("span", "none", class_="soft")
    elif not example.value:
        value = el("span", "empty", class_="soft")
    else:
        value = el("span", data(example.value, 200), class_="m")
    text = el("details", el("summary", "Record"), el("pre", data(example.raw, 500)))
    return el(
        "tr",
        el("td", str(example.row), class_="n", data_l="Row"),
        el("td", str(example.line), class_="n", data_l="Line"),
        el("td", value, data_l="Value"),
        el("td", el("div", data(example.message, 300), text), data_l="Expected"),
    )


def _of(rule: Rule, found: Examples) -> Sequence[Example]:
    return found.get((rule["field"], rule["code"], rule["rule"]), ())[:EXAMPLES_A_RULE]
