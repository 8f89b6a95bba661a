"""Everything in moto's backends that `pipectl up --data` keeps: listed, and restored.

The resources themselves are not kept. The template creates them at each start.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipectl.embedded.data_folder import DataFolder, Name
from pipectl.embedded.moto_patches import (
    events,
    kept_executions,
    kept_items,
    kept_messages,
    kept_objects,
    kept_tables,
)
from pipectl.embedded.pending import PendingInvocations
from pipectl.embedded.saving import Contents, Kept

# A client may invoke a function with bytes that are no text.
_ANY_BYTES = "surrogateescape"

_SEQUENCER, _INVOCATION = "sequencer", "invocation"


@dataclass(frozen=True)
class Restored:
    """What a folder contained.

    `interrupted` are the executions that were running, and `pending` are function and payload of
    each asynchronous invocation that had not ended.
    """

    objects: int
    executions: int
    interrupted: list[Any]
    pending: list[tuple[str, bytes]]

    def report_interrupted(self) -> None:
        """Tell EventBridge that the executions that were running are ABORTED."""
        for execution in self.interrupted:
            kept_executions.report(execution)


def listed(pending: PendingInvocations) -> Contents:
    """All contents, which must not be changed meanwhile."""
    objects, contents = kept_objects.listed()
    sequencer = events.last_sequencer()
    kept: list[Kept] = [
        *objects,
        *kept_messages.listed(),
        *kept_items.listed(),
        *kept_executions.listed(),
        *kept_tables.listed(),
        *(
            Kept.of(
                Name(_INVOCATION, name), [function, payload.decode(errors=_ANY_BYTES)], version=name
            )
            for name, (function, payload) in pending.all()
        ),
        Kept.of(Name(_SEQUENCER, ""), sequencer, version=sequencer),
    ]
    return Contents(kept, contents)


def restore(folder: DataFolder) -> Restored:
    """Fill a new stack with the contents of a folder. Nothing is delivered or started by that.

    Raises `PipectlError` if the folder is damaged or of another stack.
    """
    for _, sequencer in folder.documents(_SEQUENCER):
        events.continue_sequence(sequencer)
    kept_objects.restore(folder)
    kept_messages.restore(folder)
    kept_items.restore(folder)
    kept_tables.restore(folder)
    interrupted = kept_executions.restore(folder)
    return Restored(
        objects=folder.count(kept_objects.KIND),
        executions=folder.count(kept_executions.KIND),
        interrupted=interrupted,
        pending=[
            (function, payload.encode(errors=_ANY_BYTES))
            for _, (function, payload) in folder.documents(_INVOCATION)
        ],
    )
