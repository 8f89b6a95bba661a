"""The first records that broke each rule, for the report.

They are merged over splits like the other statistics: the result depends only on the file, not on
how it was cut. Their number and the length of their texts are limited.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tabular.faults import RuleKey

EXAMPLES_A_RULE = 10
MOST_RULES = 1_000
"""Rules with examples. A file of 50,000 columns can break several times as many rules; beyond this
number the first ones by field name have examples, which is the same choice in every split."""
RAW_CHARACTERS = 500
"""Maximum length of a record's text in an example. The rejected record is next to it, in full."""
_MESSAGE_CHARACTERS = 500


class Example(NamedTuple):
    """One record that broke a rule.

    `row` and `line` are those of the rejected record, `raw` the beginning of its text.
    """

    key: RuleKey
    row: int
    line: int
    message: str
    value: str | None
    raw: str


def in_order(key: RuleKey) -> tuple[bool, str, str, str]:
    """The sort key of rules: those of whole records first, then by field, code and rule."""
    name, code, rule = key
    return name is not None, name or "", code, rule or ""


@dataclass
class RejectExamples:
    """Keeps the first records of each rule; see `accumulator.Accumulator`.

    `by_rule` is in the order of `in_order`.
    """

    by_rule: dict[RuleKey, list[Example]] = field(default_factory=dict)

    def wants(self, key: RuleKey) -> bool:
        """Whether a later record than those already added can be an example of the rule."""
        known = self.by_rule.get(key)
        if known is not None:
            return len(known) < EXAMPLES_A_RULE
        return len(self.by_rule) < MOST_RULES or in_order(key) < in_order(
            next(reversed(self.by_rule))
        )

    def add(self, examples: Iterable[Example]) -> None:
        """Add examples, in any order."""
        for example in examples:
            known = self.by_rule.setdefault(example.key, [])
            # Of a record with three extra cells, the first one is the example.
            if all(other.row != example.row for other in known):
                known.append(_cut(example))
        self.by_rule = {
            key: sorted(self.by_rule[key], key=lambda example: example.row)[:EXAMPLES_A_RULE]
            for key in sorted(self.by_rule, key=in_order)[:MOST_RULES]
        }

    def merge(self, other: RejectExamples) -> None:
        """Add the examples of another split."""
        self.add(example for examples in other.by_rule.values() for example in examples)

    def to_document(self) -> dict[str, Any]:
        """JSON-able; the text of a record that is an example of several rules is in it once."""
        records = {
            example.row: [example.row, example.line, example.raw]
            for examples in self.by_rule.values()
            for example in examples
        }
        return {
            "rules": [
                [*key, [[example.row, example.message, example.value] for example in examples]]
                for key, examples in self.by_rule.items()
            ],
            "records": [records[row] for row in sorted(records)],
        }

    @classmethod
    def from_document(cls, document: Mapping[str, Any]) -> RejectExamples:
        """Read what `to_document` wrote."""
        records = {row: (line, raw) for row, line, raw in document["records"]}
        return cls(
            {
                (name, code, rule): [
                    Example(
                        (name, code, rule), row, records[row][0], message, value, records[row][1]
                    )
                    for row, message, value in examples
                ]
                for name, code, rule, examples in document["rules"]
            }
        )


def _cut(example: Example) -> Example:
    return example._replace(
        message=_shortened(example.message, _MESSAGE_CHARACTERS),
        raw=_shortened(example.raw, RAW_CHARACTERS),
    )


def _shortened(text: str, characters: int) -> str:
    """The text; a longer one is cut and ends in an ellipsis."""
    return text if len(text) <= characters else text[: characters - 1] + "\u2026"
