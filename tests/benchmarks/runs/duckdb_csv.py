"""DuckDB with two threads: the same work in SQL. The closest peer.

A typed `read_csv` with `store_rejects` finds cells that are no value of their type and rows of
another width; conditions find what breaks the contract; `COPY` writes the same envelope and the
rejects as JSON Lines; `SUMMARIZE` gives the statistics. Rows that a condition rejects have neither
their line nor their raw text, a row's number leaves out those that `read_csv` has rejected, and
numbers are doubles.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from tests.benchmarks.orders import COUNTRIES, HEADER, MAX_QUANTITY, STATUSES
from tests.benchmarks.runs.result import RunResult

if TYPE_CHECKING:
    from pathlib import Path

_THREADS = 2
_TYPES = {
    "order_date": "DATE",
    "quantity": "BIGINT",
    "price": "DOUBLE",
    "amount": "DOUBLE",
    "gift": "BOOLEAN",
}
_COLUMNS = {name: _TYPES.get(name, "VARCHAR") for name in HEADER}
_RULES = {
    "order_id": "order_id IS NOT NULL AND regexp_full_match(order_id, 'ORD-[0-9]{9}')",
    "customer": "customer IS NOT NULL",
    "email": r"email IS NULL OR regexp_full_match(email, '[^@\s]+@[^@\s]+\.[^@\s]+')",
    "status": f"status IS NULL OR status IN {STATUSES}",
    "country": f"country IS NULL OR country IN {COUNTRIES}",
    "order_date": "order_date IS NOT NULL",
    "quantity": f"quantity IS NULL OR quantity BETWEEN 1 AND {MAX_QUANTITY}",
    "price": "price IS NULL OR price >= 0",
    "amount": "amount IS NOT NULL",
    "note": "note IS NULL OR length(note) <= 200",
}
_HOLDS = " AND ".join(f"({rule})" for rule in _RULES.values())
_BROKEN = ", ".join(f"CASE WHEN NOT ({rule}) THEN '{name}' END" for name, rule in _RULES.items())

_READ = """
CREATE TABLE orders AS SELECT * FROM read_csv('{source}', header = true, auto_detect = false,
    columns = {columns}, delim = ',', quote = '"', escape = '"', store_rejects = true)
"""
_JUDGE = """
CREATE TABLE judged AS SELECT row_number() OVER () AS row, ({holds}) AS holds, * FROM orders
"""
_WRITE = """
COPY (
    SELECT 'orders-' || row AS id, row AS original_row, {{{data}}} AS data,
        '2024-02-01T00:00:00Z' AS processed_at
    FROM judged WHERE holds ORDER BY row
) TO '{out}/records.jsonl' (FORMAT json)
"""
_WRITE_UNREAD = """
COPY (
    SELECT line, min(line_byte_position) AS byte_offset, any_value(csv_line) AS raw,
        list({{'field': column_name, 'code': error_type, 'message': error_message}}) AS errors
    FROM reject_errors GROUP BY line ORDER BY line
) TO '{out}/unread.jsonl' (FORMAT json)
"""
_WRITE_BROKEN = """
COPY (
    SELECT row, list_filter([{broken}], lambda name: name IS NOT NULL) AS errors, {columns}
    FROM judged WHERE NOT holds ORDER BY row
) TO '{out}/rejected.jsonl' (FORMAT json)
"""
_SUMMARIZE = """
COPY (
    FROM (SUMMARIZE SELECT {columns} FROM judged WHERE holds)
) TO '{out}/summary.json' (FORMAT json)
"""
_COUNT = """
SELECT count(*) FILTER (holds), count(*) FILTER (NOT holds)
    + (SELECT count(DISTINCT line) FROM reject_errors), sum(amount) FILTER (holds)
FROM judged
"""


def run(source: Path, contract: Path, out: Path) -> RunResult:
    """Write `records.jsonl`, two files of rejects and `summary.json`; the contract is built in."""
    del contract
    words = {
        "source": source,
        "out": out,
        "columns": ", ".join(HEADER),
        "holds": _HOLDS,
        "broken": _BROKEN,
        "data": ", ".join(f"'{name}': {name}" for name in HEADER),
    }
    with duckdb.connect(config={"threads": _THREADS}) as database:
        database.execute("SET enable_progress_bar = false")  # it prints to the results' pipe
        database.execute(_READ.format(source=source, columns=_COLUMNS))
        for statement in (_JUDGE, _WRITE, _WRITE_UNREAD, _WRITE_BROKEN, _SUMMARIZE):
            database.execute(statement.format(**words))
        counts = database.execute(_COUNT).fetchone()
    if counts is None:
        raise RuntimeError("DuckDB counted nothing")
    return RunResult(*counts)
