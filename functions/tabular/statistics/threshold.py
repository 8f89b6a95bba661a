"""How many rejects a whole file may have."""

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
    """Raise `TooManyRejects` where more records were rejected than either limit lets pass.

    Limits are inclusive: at `max_percent=5`, 5 rejects of 100 records pass and 6 do not. None is
    no limit, and neither is a negative count. Whatever the limits, a file of which every record is
    rejected passes only where `may_reject_all` is true. `whereabouts` is a sentence for the message
    that says where the rejects are.
    """
    if max_count is not None and 0 <= max_count < error_count:
        limit = f"at most {max_count} may be"
    # As the fraction that was written: the double next to 0.57 is less than that.
    elif max_percent is not None and error_count * 100 > Fraction(str(max_percent)) * record_count:
        limit = f"at most {max_percent:g}% may be"
    elif error_count and error_count == record_count and not may_reject_all:
        limit = 'which only "maxRejectPercent": 100 in the dataset\'s contract lets pass'
    else:
        return
    sentences = [
        f"{error_count} of {record_count} records were rejected, {limit}.",
        whereabouts,
        "Mend the file or the contract, or raise the limit there, and run it again.",
    ]
    raise TooManyRejects(" ".join(filter(None, sentences)))


def check_rejects_so_far(
    contract: Contract, *, most_records: int | None, error_count: int, whereabouts: str = ""
) -> None:
    """Raise `TooManyRejects` where the contract is broken whatever the records not yet read are.

    `most_records` is how many records the whole file can have at the very most, None where nobody
    knows. Records that were not read may all be good.
    """
    percent, count = contract.max_reject_percent, contract.max_reject_count
    if count is not None and 0 <= count < error_count:
        limit = f"at most {count} may be"
    elif (
        percent is not None
        and most_records is not None
        and error_count * 100 > Fraction(str(percent)) * most_records
    ):
        limit = f"at most {percent:g}% may be, and the file has fewer than {most_records} records"
    else:
        return
    sentences = [
        f"{error_count} records were rejected when reading was stopped: {limit}.",
        whereabouts,
        "Fix the file or the contract, or raise the limit there, and run it again.",
    ]
    raise TooManyRejects(" ".join(filter(None, sentences)))


def may_reject_all(contract: Contract | None) -> bool:
    """Whether a file may have no good record at all: only where its contract says 100 percent.

    A default of 100 percent lets any number of bad records pass; it does not say that a file
    nobody could read is a success.
    """
    return contract is not None and contract.max_reject_percent == _ALL_PERCENT
