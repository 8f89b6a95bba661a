"""Gathers the statistics of every field of a file, block by block, and merges them over splits.

Use::

    accumulator = Accumulator(contract.fields)          # one a split
    for block in blocks:                                 # accepted records only
        accumulator.add("email", texts)                  # String, nulls where the value is null
        accumulator.add("amount", texts, numbers)        # JSON number texts, and Float64 of them
        accumulator.add_counts("status", {"new": 7})     # instead of add, if counted anyway
        accumulator.add_rejects({("amount", "type-error", "type"): RuleCount(3, 3)})
    part = accumulator.partial()                         # JSON-able, bounded
    whole = merge([part, ...])                           # in any order, of any grouping
    fields = finish(whole)                               # output name -> statistics

A block may be added in several calls, in any order. **Everything that comes out is a function of
the multiset of values alone**: blocks, splits and their order change no byte of it. Sums are exact
decimals, and the sketches are of kinds that merge without loss.

Per field, up to `EXACT_DISTINCT` distinct values are counted one by one; as long as they suffice,
distinct, quantiles, histogram and top values are exact. Beyond, `distinct_exact` is false: the
distinct count comes from a sketch (standard error 2.2 %, 13 % at most of files of very many
fields), quantiles and histogram from buckets of a stated relative width, and top values are not
given. All fields of a file share a memory limit, so with more than 70 fields each one's limits are
lower: see `Limits`. count, nulls, min, max, sum, mean and standard deviation are always exact
(within the precision of a double).

A partial's size depends on the fields, not on the rows: at most 10,000 values of up to 77
characters, or sketches of 22,000 characters and 2,048 buckets, and sums of up to 2,000 digits; so
below 3.5 MB a field in the worst case, below 100 KB for a field with over 10,000 values, and below
128 MB for all fields together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular.faults import RuleCount
from tabular.statistics.field_statistics import FieldStatistics, Limits
from tabular.statistics.reject_examples import Example, RejectExamples, in_order
from tabular.statistics.sketches import hash_fingerprint

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from tabular.faults import RuleKey
    from tabular.model import Field

__all__ = ["Accumulator", "finish", "merge", "reject_counts", "reject_examples"]

_VERSION = 3


class UnlikePartials(ValueError):
    """Partial statistics were made by another code version or another hash function."""


class Accumulator:
    """Gathers the statistics of one split's accepted records, and counts its rejects."""

    def __init__(self, fields: Sequence[Field]) -> None:
        """Start empty. The output names and types of `fields` decide what is computed."""
        limits = Limits.of(len(fields))
        self._fields = {field.output_name: FieldStatistics(field.type, limits) for field in fields}
        self._rejects: dict[RuleKey, RuleCount] = {}
        self._examples = RejectExamples()

    def add(self, name: str, texts: pl.Series, numbers: pl.Series | None = None) -> None:
        """Add values of the field whose output name is `name`.

        `texts` (String) holds each value's plain text, not quoted or escaped: the cell's string,
        the ISO 8601 date, `true`, the JSON text of objects; for a number the JSON number text (what
        `decimal.Decimal` reads will do), or NaN, INF, -INF. Null is a missing value. `numbers`
        (Float64) are the same rows of a number, integer or year field cast to doubles; they are
        cast here if they are not given. For other types they are ignored. Raises KeyError for an
        unknown field.
        """
        self._fields[name].add(texts, numbers)

    def add_counts(self, name: str, counts: Mapping[str | None, int]) -> None:
        """Add values that have been counted already: texts as in `add`, and how often each occurs.

        For columns of few distinct values this saves the work of counting twice.
        """
        self._fields[name].add_counts(counts)

    def add_rejects(self, counts: Mapping[RuleKey, RuleCount]) -> None:
        """Count faults of rejected records, by field (its output name or None), code and rule."""
        _add_counts(self._rejects, counts)

    def wants_example(self, key: RuleKey) -> bool:
        """Whether a later record than those already added can be an example of the rule."""
        return self._examples.wants(key)

    def add_examples(self, examples: Iterable[Example]) -> None:
        """Add examples of broken rules; the first ten records of each rule are kept."""
        self._examples.add(examples)

    def partial(self) -> dict[str, Any]:
        """The JSON-able state, to be merged with those of the file's other splits."""
        return {
            "version": _VERSION,
            "hash": hash_fingerprint(),
            "fields": {name: field.to_document() for name, field in self._fields.items()},
            "rejects": _rejects_document(self._rejects),
            "examples": self._examples.to_document(),
        }


def merge(partials: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Merge partials of one file into one partial, whatever their order or grouping.

    They are read one by one, so memory is that of two partials. Raises UnlikePartials if they were
    not made by this code version and this hash function, which merging uses too, and ValueError if
    they are not of one contract, or if there are none.
    """
    documents = iter(partials)
    first = next(documents, None)
    if first is None:
        raise ValueError("There are no partial statistics to merge: even an empty file has one.")
    _require_own_kind(first)
    fields = dict(_fields_of(first))
    rejects = _rejects_of(first)
    examples = RejectExamples.from_document(first["examples"])
    kinds, version, fingerprint = _kinds_of(first), first["version"], first["hash"]
    del first
    for document in documents:
        _require_own_kind(document)
        _require_same_kinds(kinds, document)
        for name, other in _fields_of(document):
            fields[name].merge(other)
        _add_counts(rejects, _rejects_of(document))
        examples.merge(RejectExamples.from_document(document["examples"]))
    return {
        "version": version,
        "hash": fingerprint,
        "fields": {name: field.to_document() for name, field in fields.items()},
        "rejects": _rejects_document(rejects),
        "examples": examples.to_document(),
    }


def finish(partial: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The statistics of each field by its output name, in the contract's order.

    All fields: `type` (`numeric` or `string`), `field_type` (the contract's), `count` (values that
    are not null), `nulls`, `distinct`, `distinct_exact`, `min`, `max`, `top_values` (up to ten of
    `{"value", "count"}`, most frequent first; null beyond `EXACT_DISTINCT` distinct values).
    Numeric fields: `sum`, `avg` (two decimals), `mean`, `standard_deviation` (divisor n - 1),
    `quantiles`, `quantile_relative_error` (0 if exact), `histogram` (`{"edges": n + 1 numbers,
    "counts": n}`), and `non_finite` if there are NaN or infinities: these are counted, but are in
    no other figure, nor is a number beyond the range of doubles. Other fields: `unique` (the same
    as `distinct`); dates and datetimes: `range_days`; datetimes: `with_time_zone`, how many have
    one. Their `min` and `max` are by code point: the order of ISO 8601 dates, too, and of datetimes
    as long as they are written with the same offset from UTC. A figure beyond the range of doubles
    is null.
    """
    return {name: field.finish() for name, field in _fields_of(partial)}


def reject_counts(partial: Mapping[str, Any]) -> dict[RuleKey, RuleCount]:
    """How often each rule was broken; rules of whole records first, then by field and code."""
    return _rejects_of(partial)


def reject_examples(partial: Mapping[str, Any]) -> dict[RuleKey, list[Example]]:
    """The first records that broke each rule, in ascending order of row."""
    return RejectExamples.from_document(partial["examples"]).by_rule


def _fields_of(document: Mapping[str, Any]) -> Iterator[tuple[str, FieldStatistics]]:
    """The fields with their names, read one by one."""
    limits = Limits.of(len(document["fields"]))
    for name, field in document["fields"].items():
        yield name, FieldStatistics.from_document(field, limits)


def _rejects_of(document: Mapping[str, Any]) -> dict[RuleKey, RuleCount]:
    return {
        (field, code, rule): RuleCount(faults, records)
        for field, code, rule, faults, records in document["rejects"]
    }


def _add_counts(counts: dict[RuleKey, RuleCount], more: Mapping[RuleKey, RuleCount]) -> None:
    for key, (faults, records) in more.items():
        before = counts.get(key, RuleCount(0, 0))
        counts[key] = RuleCount(before.faults + faults, before.records + records)


def _rejects_document(rejects: Mapping[RuleKey, RuleCount]) -> list[list[Any]]:
    return [[*key, *rejects[key]] for key in sorted(rejects, key=in_order) if rejects[key].faults]


def _require_own_kind(document: Mapping[str, Any]) -> None:
    for part, own in (("version", _VERSION), ("hash", hash_fingerprint())):
        if document[part] != own:
            raise UnlikePartials(
                f"Partial statistics of different {part}s cannot be merged: {own} and "
                f"{document[part]}. Transform all splits with one code version."
            )


def _kinds_of(document: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, field["type"]) for name, field in document["fields"].items()]


def _require_same_kinds(kinds: list[tuple[str, str]], document: Mapping[str, Any]) -> None:
    if kinds != _kinds_of(document):
        raise ValueError(
            "Partial statistics of different fields cannot be merged. "
            "Transform all splits with one version of the contract."
        )
