"""The formats of `pipectl check` for other programs: annotations, SARIF, JUnit and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any
from urllib.parse import quote
from xml.sax.saxutils import escape, quoteattr

from pipectl.local.verdicts import Verdict
from shared.text import exact_json, printable

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_CSV_COLUMNS = ("row", "line", "byte_offset", "field", "code", "rule", "message", "value")


def to_json(verdicts: Sequence[Verdict], _: Sequence[bool]) -> str:
    """One document with every verdict."""
    return exact_json({"files": [verdict.to_document() for verdict in verdicts]}, indent=2)


def to_github(verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> str:
    """Workflow commands, which GitHub shows beside the lines of the files.

    A rejected record of a file that is accepted is a warning, otherwise an error.
    https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
    """
    return "\n".join(_annotations(verdicts, accepted))


def _annotations(verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> Iterator[str]:
    for verdict, is_accepted in zip(verdicts, accepted, strict=True):
        file = _property(verdict.source)
        level = "warning" if is_accepted else "error"
        for error in verdict.errors:
            title = _property(f"{error['field'] or 'record'}: {error['code']}")
            text = _data(_sentence(error))
            yield f"::{level} file={file},line={error['line']},title={title}::{text}"
        if verdict.file_error is not None:
            code, message = verdict.file_error["code"], verdict.file_error["message"]
            yield f"::error file={file},title={_property(code)}::{_data(message)}"
        for note in verdict.notes:
            yield f"::notice file={file}::{_data(note)}"
        if verdict.errors_truncated:
            yield f"::notice file={file}::Only the first {len(verdict.errors)} errors are listed."


def _data(text: str) -> str:
    return printable(text).replace("%", "%25")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")


def to_sarif(verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> str:
    """A SARIF 2.1.0 log, for code scanning and editors."""
    results = [
        result
        for verdict, is_accepted in zip(verdicts, accepted, strict=True)
        for result in _results(verdict, "warning" if is_accepted else "error")
    ]
    rules = [{"id": name} for name in sorted({result["ruleId"] for result in results})]
    driver = {"name": "pipectl check", "rules": rules}
    log = {
        "$schema": _SARIF_SCHEMA,
        "version": "2.1.0",
        "runs": [{"tool": {"driver": driver}, "results": results}],
    }
    return exact_json(log, indent=2)


def _results(verdict: Verdict, level: str) -> Iterator[dict[str, Any]]:
    artifact = {"uri": quote(verdict.source)}
    for error in verdict.errors:
        region = {"startLine": error["line"], "byteOffset": error["byte_offset"]}
        location = {"artifactLocation": artifact, "region": region}
        yield {
            "ruleId": error["code"],
            "level": level,
            "message": {"text": _sentence(error)},
            "locations": [{"physicalLocation": location}],
        }
    if verdict.file_error is not None:
        yield {
            "ruleId": verdict.file_error["code"],
            "level": "error",
            "message": {"text": verdict.file_error["message"]},
            "locations": [{"physicalLocation": {"artifactLocation": artifact}}],
        }


def to_junit(verdicts: Sequence[Verdict], accepted: Sequence[bool]) -> str:
    """A JUnit report with one test case per file."""
    failures = len(accepted) - sum(accepted)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<testsuites tests="{len(verdicts)}" failures="{failures}">',
        f'  <testsuite name="pipectl check" tests="{len(verdicts)}" failures="{failures}">',
    ]
    for verdict, is_accepted in zip(verdicts, accepted, strict=True):
        name = quoteattr(printable(verdict.source))
        case = f'    <testcase classname="pipectl check" name={name}'
        if is_accepted:
            lines.append(f"{case}/>")
            continue
        kind, headline = _headline(verdict)
        lines.append(f"{case}>")
        lines.append(
            f"      <failure type={quoteattr(printable(kind))} "
            f"message={quoteattr(printable(headline))}>"
        )
        lines += [
            escape(printable(f"line {error['line']}, row {error['row']}: {_sentence(error)}"))
            for error in verdict.errors
        ]
        lines += ["      </failure>", "    </testcase>"]
    return "\n".join([*lines, "  </testsuite>", "</testsuites>"])


def _headline(verdict: Verdict) -> tuple[str, str]:
    if verdict.file_error is not None:
        return verdict.file_error["code"], verdict.file_error["message"]
    return "rejects", f"{verdict.error_count} of {verdict.record_count} records are rejected."


def to_csv(verdicts: Sequence[Verdict], _: Sequence[bool]) -> str:
    """One row per error, with the file that it is in; errors of whole files have no row."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("source", *_CSV_COLUMNS))
    for verdict in verdicts:
        for error in verdict.errors:
            cells = [verdict.source, *(error.get(name) for name in _CSV_COLUMNS)]
            table.writerow("" if cell is None else printable(cell) for cell in cells)
        if verdict.file_error is not None:
            code, message = verdict.file_error["code"], verdict.file_error["message"]
            cells = [verdict.source, "", "", "", "", code, "", message, ""]
            table.writerow(printable(cell) for cell in cells)
    return text.getvalue().rstrip("\n")


def _sentence(error: dict[str, Any]) -> str:
    """An error as a sentence: `Price: expected a number, found "18,90 €"`."""
    field = f"{error['field']}: " if error["field"] else ""
    value = error["value"]
    found = "" if value is None else f", found {json.dumps(value, ensure_ascii=False)}"
    return f"{field}{error['message']}{found}"


REPORTS: dict[str, Callable[[Sequence[Verdict], Sequence[bool]], str]] = {
    "json": to_json,
    "github": to_github,
    "sarif": to_sarif,
    "junit": to_junit,
    "csv": to_csv,
}
"""By the name of the format; text for people is printed by the command."""
