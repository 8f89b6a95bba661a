"""Makes a failing case as small as possible; it still fails in the same way."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from tests.fuzz.case import Case

_PLAIN = {"block": 8_000_000, "chunk": 1_000_000, "split": 0, "members": 0, "processes": 1}


def minimise(case: Case, fails: Callable[[Case], bool]) -> Case:
    """The smallest case that is found by leaving out and simplifying one thing after the other."""
    while True:
        smaller = next((smaller for smaller in _smaller(case) if fails(smaller)), None)
        if smaller is None:
            return case
        case = smaller


def _smaller(case: Case) -> Iterator[Case]:
    for name, value in _PLAIN.items():
        if getattr(case, name) != value:
            yield replace(case, **{name: value})  # type: ignore[arg-type]
    yield from _with_less_content(case)
    if case.contract is not None:
        for contract in _simpler(case.contract):
            yield replace(case, contract=contract)


def _with_less_content(case: Case) -> Iterator[Case]:
    content = case.content
    size = len(content)
    while size:
        for start in range(0, len(content), size):
            yield case.with_content(content[:start] + content[start + size :])
        size //= 2
    for place, byte in enumerate(content):
        if byte > ord("a") or ord("0") < byte <= ord("9"):
            yield case.with_content(
                content[:place] + b"a"[: byte > ord("a")] + content[place + 1 :]
            )


def _simpler(contract: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    copy = json.loads(json.dumps(contract))
    for name in contract["dialect"]:
        dialect = {key: value for key, value in copy["dialect"].items() if key != name}
        yield {**copy, "dialect": dialect}
    if contract["encoding"] != "utf-8":
        yield {**copy, "encoding": "utf-8"}
    fields = copy["schema"]["fields"]
    for number, field in enumerate(fields):
        if len(fields) > 1:
            others = fields[:number] + fields[number + 1 :]
            yield {**copy, "schema": {**copy["schema"], "fields": others}}
        if field["type"] != "string" or len(field) > 2:
            plain = {"name": field["name"], "type": "string"}
            some = [*fields[:number], plain, *fields[number + 1 :]]
            yield {**copy, "schema": {**copy["schema"], "fields": some}}
