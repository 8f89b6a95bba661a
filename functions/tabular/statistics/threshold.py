"""The limits of rejected records in a file."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from tabular.errors import TooManyRejects

if TYPE_CHECKING:
    from tabular.model import Contract

_ALL_PERCENT = 100


def check_rejects(
    record_count: int,
    error_count: int,
    *,
    max_percent: float | None = None,
    max_count: int | None = None,
    may_reject_all: bool = False,
    whereabouts: str = "",
) -> None:
    """Raise `TooManyRejects` if more records were rejected than either limit allows.

    Limits are inclusive: at `max_percent=5`, 5 rejects of 100 records pass and 6 do not. None and
    negative counts mean no limit. Whatever the limits, a file of which every record is rejected
    passes only if `may_reject_all` is true. `whereabouts` is a sentence for the message
    that says where the rejects are.
    """
    details: dict[str, float] = {"records": record_count, "rejected": error_count}
    if max_count is not None and 0 <= max_count < error_count:
        limit = f"the limit is {max_count}"
        details["limit_count"] = max_count
    # Compared as an exact fraction: the double nearest to 0.57 is less than 0.57.
    elif max_percent is not None and error_count * 100 > Fraction(str(max_percent)) * record_count:
        limit = f"the limit is {max_percent:g}%"
        details["limit_percent"] = max_percent
    elif error_count and error_count == record_count and not may_reject_all:
        limit = 'only "maxRejectPercent": 100 in the dataset\'s contract allows that'
    else:
        return
    sentences = [
        f"{error_count} of {record_count} records ({100 * error_count / record_count:.3g}%) were "
        f"rejected; {limit}.",
        whereabouts,
        "Fix the file or the contract, or raise the limit there, then rerun the file.",
    ]
    raise TooManyRejects(" ".join(filter(None, sentences)), **details)


def check_rejects_so_far(
    contract: Contract, *, most_records: int | None, error_count: int, whereabouts: str = ""
) -> None:
    """Raise `TooManyRejects` if the limit is exceeded even if all unread records are good.

    `most_records` is the maximum number of records that the whole file can have, None if unknown.
    """
    percent, count = contract.max_reject_percent, contract.max_reject_count
    details: dict[str, float] = {"rejected": error_count}
    if count is not None and 0 <= count < error_count:
        limit = f"the limit is {count}"
        details["limit_count"] = count
    elif (
        percent is not None
        and most_records is not None
        and error_count * 100 > Fraction(str(percent)) * most_records
    ):
        limit = f"the limit is {percent:g}%, and the file has fewer than {most_records} records"
        details["limit_percent"] = percent
    else:
        return
    sentences = [
        f"{error_count} records were rejected before reading stopped; {limit}.",
        whereabouts,
        "Fix the file or the contract, or raise the limit there, then rerun the file.",
    ]
    raise TooManyRejects(" ".join(filter(None, sentences)), **details)


def may_reject_all(contract: Contract | None) -> bool:
    """Whether every record of a file may be rejected: only if its contract says 100 percent.

    A default of 100 percent allows any number of rejected records, but it does not mean that a
    file without a single processed record is a success.
    """
    return contract is not None and contract.max_reject_percent == _ALL_PERCENT
