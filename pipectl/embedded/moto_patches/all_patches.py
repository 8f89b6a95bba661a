"""All patches of moto: applied to it, and compared with what moto is today."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from unittest.mock import patch

# These modules register their patches when they are imported.
from pipectl.embedded.moto_patches import (  # noqa: F401
    account,
    answers,
    conditional_writes,
    copies,
    created,
    engine,
    events,
    history_pages,
    log_groups,
    map_runs,
    sizes,
    stacks,
    version_ids,
)
from pipectl.embedded.moto_patches.table import (
    REPLACEMENTS,
    PatchSettings,
    Replacement,
    fingerprint_of,
)


@contextmanager
def applied(settings: PatchSettings) -> Iterator[None]:
    """Replace every name of the table inside the block."""
    with ExitStack() as stack:
        for replacement in REPLACEMENTS:
            original = getattr(replacement.owner, replacement.name)
            new = replacement.make(original, settings)
            stack.enter_context(patch.object(replacement.owner, replacement.name, new))
        yield


def changes() -> list[str]:
    """One sentence for each name of the table that moto no longer has, or has changed."""
    return [change for replacement in REPLACEMENTS if (change := _change_of(replacement))]


def _change_of(replacement: Replacement) -> str | None:
    name = replacement.full_name
    where = replacement.make.__module__
    try:
        original = getattr(replacement.owner, replacement.name)
    except AttributeError:
        return f"moto no longer has {name}. Adapt or remove the patch in {where}."
    found = fingerprint_of(original)
    if found == replacement.fingerprint:
        return None
    return (
        f"moto has changed {name}. Check whether the patch in {where} still does what it says,"
        f" then set its fingerprint to {found!r} (it is {replacement.fingerprint!r})."
    )
