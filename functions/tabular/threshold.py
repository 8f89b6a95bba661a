"""How many rejects a whole file may have."""

from __future__ import annotations

from fractions import Fraction

from tabular.errors import TooManyRejects


def check_rejects(
    record_count: int,
    error_count: int,
    *,
    max_percent: float | None = None,
    max_count: int | None = None,
    whereabouts: str = "",
) -> None:
    """Raise `TooManyRejects` where more records were rejected than either limit lets pass.

    Limits are inclusive: at `max_percent=5`, 5 rejects of 100 records pass and 6 do not. None is
    no limit, and neither is a negative count. `whereabouts` is a sentence for the message that
    tells where the rejects are.
    """
    if max_count is not None and 0 <= max_count < error_count:
        limit = f"at most {max_count} may be"
    # As the fraction that was written: the double next to 0.57 is less than that.
    elif max_percent is not None and error_count * 100 > Fraction(str(max_percent)) * record_count:
        limit = f"at most {max_percent:g}% may be"
    else:
        return
    sentences = [
        f"{error_count} of {record_count} records were rejected, {limit}.",
        whereabouts,
        "Mend the file or the contract, or raise the limit there, and run it again.",
    ]
    raise TooManyRejects(" ".join(filter(None, sentences)))
