"""pandas in chunks of rows: full validation, flat typed JSON Lines, rejects, statistics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd  # type: ignore[import-untyped]

from tests.benchmarks.orders import COUNTRIES, HEADER, MAX_QUANTITY, STATUSES
from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

_ROWS = 100_000
_MAX_DISTINCT = 10_000
_EXTRA = "_extra"
_NUMBERS = ("quantity", "price", "amount")
_PROCESSED_AT = "2024-02-01T00:00:00Z"


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write `records.jsonl`, `rejected.jsonl` and `summary.json`; the contract is built in.

    One more column than the header has holds the first extra cell. pandas can't distinguish a
    missing cell from an empty one; here short records are found because a required cell is among
    the missing ones.
    """
    del contract
    processed = rejected = 0
    gathered: dict[str, dict[str, Any]] = {name: _nothing() for name in HEADER}
    with (
        (out / "records.jsonl").open("w") as records,
        (out / "rejected.jsonl").open("w") as rejects,
    ):
        for chunk in pd.read_csv(
            source,
            names=[*HEADER, _EXTRA],
            header=None,
            skiprows=1,
            index_col=False,
            dtype=str,
            na_filter=False,
            chunksize=_ROWS,
        ):
            typed, faults = _validated(chunk)
            bad = faults.any(axis=1)
            _write_rejects(rejects, chunk[bad], faults[bad])
            good = typed[~bad]
            good.to_json(records, orient="records", lines=True)
            processed += len(good)
            rejected += int(bad.sum())
            for name in HEADER:
                _gather(gathered[name], good[name])
    (out / "summary.json").write_text(json.dumps(gathered, default=str))
    return RunResult(processed, rejected, gathered["amount"]["sum"])


def _validated(chunk: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The typed columns, and a column of booleans for every kind of fault."""
    cells = chunk[list(HEADER)]
    typed = cells.mask(cells == "", None)
    faults = pd.DataFrame(index=chunk.index)
    faults["extra-cell"] = chunk[_EXTRA] != ""
    faults["order_id"] = ~cells["order_id"].str.fullmatch(r"ORD-[0-9]{9}")
    faults["customer"] = cells["customer"] == ""
    faults["email"] = ~cells["email"].str.fullmatch(r"(?:[^@\s]+@[^@\s]+\.[^@\s]+)?")
    faults["status"] = ~cells["status"].isin((*STATUSES, ""))
    faults["country"] = ~cells["country"].isin((*COUNTRIES, ""))
    faults["order_date"] = pd.to_datetime(
        cells["order_date"], format="%Y-%m-%d", errors="coerce"
    ).isna()
    for name in _NUMBERS:
        typed[name] = pd.to_numeric(typed[name], errors="coerce")
        faults[name] = typed[name].isna() & (cells[name] != "")
    faults["amount"] |= cells["amount"] == ""
    faults["quantity"] |= (typed["quantity"] < 1) | (typed["quantity"] > MAX_QUANTITY)
    faults["quantity"] |= typed["quantity"] % 1 != 0
    faults["price"] |= typed["price"] < 0
    booleans = {"true": True, "false": False}
    typed["gift"] = cells["gift"].map(booleans)
    faults["gift"] = typed["gift"].isna() & (cells["gift"] != "")
    faults["note"] = cells["note"].str.len() > 200
    typed.insert(0, "id", "orders-" + (chunk.index + 1).astype(str))
    typed.insert(1, "original_row", chunk.index + 1)
    typed["processed_at"] = _PROCESSED_AT
    return typed, faults


def _write_rejects(file: Any, rows: pd.DataFrame, faults: pd.DataFrame) -> None:
    for (number, cells), flags in zip(rows.iterrows(), faults.to_numpy(), strict=True):
        codes = [code for code, flag in zip(faults.columns, flags, strict=True) if flag]
        file.write(json.dumps({"row": number + 1, "errors": codes, "raw": cells.tolist()}) + "\n")


def _nothing() -> dict[str, Any]:
    return {"count": 0, "min": None, "max": None, "sum": 0.0, "squares": 0.0, "counts": None}


def _gather(figures: dict[str, Any], column: pd.Series[Any]) -> None:
    values = column.dropna()
    if values.empty:
        return
    figures["count"] += len(values)
    low, high = values.min(), values.max()
    figures["min"] = low if figures["min"] is None else min(low, figures["min"])
    figures["max"] = high if figures["max"] is None else max(high, figures["max"])
    if column.name in _NUMBERS:
        figures["sum"] += float(values.sum())
        figures["squares"] += float((values * values).sum())
    if figures["counts"] is not False:
        counts = values.value_counts()
        if figures["counts"] is not None:
            counts = counts.add(figures["counts"], fill_value=0)
        figures["counts"] = counts if len(counts) <= _MAX_DISTINCT else False
