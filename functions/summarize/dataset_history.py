"""The key figures of a dataset's last files, and the comparison of a file with them.

The history is one small object for each dataset. It serves the comparison in the report, and the
check of the dataset's freshness. An entry that is lost when many files are summarized at once does
no harm: the others are as recent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice
from statistics import median
from typing import Any

KEPT_FILES = 20
_MOST_FIELDS = 300
"""Fields whose nulls are kept, so that the object stays small for any files."""
_NAME_CHARACTERS = 200

Entry = Mapping[str, Any]


def entry_of(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The key figures of the file that the summary is of."""
    file = summary["file"]
    return {
        "file_id": file["file_id"],
        "generated_at": summary["generated_at"],
        "rows": summary["total_input_rows"],
        "bytes": file["source"]["size"],
        "reject_rate": _rate(summary["total_errors"], summary["total_input_rows"]),
        "null_rates": {
            name: _rate(figures["nulls"], summary["total_processed"])
            for name, figures in islice(summary["field_statistics"].items(), _MOST_FIELDS)
            if len(name) <= _NAME_CHARACTERS
        },
    }


def with_entry(history: Sequence[Entry], entry: Entry) -> list[Entry]:
    """The history with the file's entry; of two attempts of a file, that of the later one stays."""
    others = [other for other in history if other["file_id"] != entry["file_id"]]
    own = [other for other in history if other["file_id"] == entry["file_id"]]
    return _last([*others, max([*own, entry], key=_time)])


def usual(history: Sequence[Entry], entry: Entry) -> dict[str, Any] | None:
    """The file's figures beside those of the dataset's last files; None if there are none.

    Only files that were processed before this one count. Each figure is `{"value", "median",
    "lowest", "highest"}`, rates are in percent.
    """
    files = _last(
        [
            other
            for other in history
            if other["file_id"] != entry["file_id"]
            and other["generated_at"] < entry["generated_at"]
        ]
    )
    if not files:
        return None
    return {
        "files": len(files),
        "since": files[0]["generated_at"],
        **{
            name: _figures(entry[name], [file[name] for file in files])
            for name in ("rows", "bytes", "reject_rate")
        },
        "null_rates": {
            name: _figures(rate, rates)
            for name, rate in entry["null_rates"].items()
            if (rates := [f["null_rates"][name] for f in files if name in f["null_rates"]])
        },
    }


def _last(entries: list[Entry]) -> list[Entry]:
    """The last files, in the order in which they were processed."""
    entries.sort(key=lambda entry: (_time(entry), entry["file_id"]))
    return entries[-KEPT_FILES:]


def _time(entry: Entry) -> str:
    return str(entry["generated_at"])


def _figures(value: float, others: Sequence[float]) -> dict[str, float]:
    return {
        "value": value,
        "median": round(median(others), 2),
        "lowest": min(others),
        "highest": max(others),
    }


def _rate(part: int, whole: int) -> float:
    """A rate in percent, with two decimals; 0 if there are no values."""
    return round(part / max(whole, 1) * 100, 2)
