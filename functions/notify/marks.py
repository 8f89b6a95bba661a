"""Marks of what each channel has accepted, so that a repeated step doesn't send it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol, Self

from shared import storage
from shared.errors import RecordOutdated
from shared.job import Execution
from shared.metadata import mark_item, read_success

CHANNEL_IDS = ("message_id", "event_id")
"""The names under which the IDs of SNS and EventBridge are marked."""


class Marks(Protocol):
    """What the channels have accepted of one notification."""

    @property
    def sent(self) -> Mapping[str, str]:
        """The service's ID of each channel that has accepted it, by the ID's name."""

    def add(self, sent: Mapping[str, str]) -> None:
        """Mark all channels that have accepted it by now."""


@dataclass(frozen=True)
class ItemMarks:
    """Marks in the metadata item of a file that succeeded or was superseded.

    `notified` are the item's marks; None if they were not read, because the item had none when it
    was recorded a moment ago. Each execution has its own, so that the outcome of another one
    doesn't cause a repetition. `add` raises `RecordOutdated` if the item now records a failure.
    """

    table: str
    file_id: str
    execution: Execution
    notification_id: str
    notified: Mapping[str, Any] | None

    @property
    def sent(self) -> Mapping[str, str]:
        """See `Marks`."""
        mark = (self.notified or {}).get(self.execution.name, {})
        if not self._same.items() <= mark.items():
            return {}
        return {name: mark[name] for name in CHANNEL_IDS if name in mark}

    def add(self, sent: Mapping[str, str]) -> None:
        """See `Marks`."""
        own = {self.execution.name: {**self._same, **sent}}
        others = self.notified
        if others is None:
            try:
                mark_item(self.table, self.file_id, "notified", own, is_new=True)
            except RecordOutdated:
                # Another execution's mark has come in the meantime, or the item records a failure.
                others = read_success(self.table, self.file_id).get("notified", {})
            else:
                return
        mark_item(self.table, self.file_id, "notified", {**others, **own})

    @property
    def _same(self) -> dict[str, str]:
        # An execution's name, and so the ID, can be used again after 90 days; its start is unique.
        return {
            "notification_id": self.notification_id,
            "processed_at": self.execution.start_time,
        }


@dataclass(frozen=True)
class StoredMarks:
    """Marks of a failure: objects under `work/`, because there may be no metadata item yet.

    They are written only if one channel accepted the notification and another one didn't. A key
    ends with the ID's name and the ID.
    """

    bucket: str
    prefix: str
    sent: Mapping[str, str]

    @classmethod
    def read(cls, bucket: str, prefix: str) -> Self:
        """The marks under the prefix; raises `TransientError` if S3 is busy."""
        sent: dict[str, str] = {}
        for location in storage.list_objects(bucket, prefix):
            name, _, service_id = location.key.removeprefix(prefix).partition("/")
            sent[name] = service_id
        return cls(bucket, prefix, sent)

    def add(self, sent: Mapping[str, str]) -> None:
        """See `Marks`."""
        for name, service_id in sent.items():
            storage.write_document(self.bucket, f"{self.prefix}{name}/{service_id}", {})
