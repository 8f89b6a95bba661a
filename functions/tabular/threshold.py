"""How many rejects a whole file may have."""

from __future__ import annotations

from tabular.errors import TooManyRejects


def check_rejects(
    record_count: int,
    error_count: int,
    *,
    max_percent: float | None = None,
    max_count: int | None = None,
) -> None:
    """Raise `TooManyRejects` where more records were rejected than either limit lets pass.

    Limits are inclusive: at `max_percent=5`, 5 rejects of 100 records pass and 6 do not. None is
    no limit.
    """
    if max_count is not None and error_count > max_count:
        _refuse(record_count, error_count, f"at most {max_count} may be")
    # Compared as a product: a quotient would round.
    if max_percent is not None and error_count * 100 > max_percent * record_count:
        _refuse(record_count, error_count, f"at most {max_percent:g}% may be")


def _refuse(record_count: int, error_count: int, limit: str) -> None:
    raise TooManyRejects(
        f"{error_count} of {record_count} records were rejected, {limit}. The rejects of this "
        "attempt are in its work folder. Mend the file or the contract, or raise the limit there, "
        "and run it again."
    )
