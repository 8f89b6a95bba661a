"""The order of a key's versions, and of the attempts to process them.

Whatever the order in which executions finish, the output of a key is that of the latest version
that succeeded. So every published object carries the rank of what it was made from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Self
from urllib.parse import quote, unquote

from shared.job import Execution, Source

# S3's rule for comparing sequencers is to pad the shorter one with zeros on the right and compare
# them as text. Padded to a common length, they sort correctly as an index's range key. Real ones
# are 16 to 18 characters long.
# https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
SEQUENCER_LENGTH = 40


def version_attributes(source: Source) -> dict[str, Any]:
    """The metadata item's attributes by which the versions of one key are found and ordered."""
    return {
        "source": f"{source.bucket}/{source.key}",
        "sequencer": source.sequencer.ljust(SEQUENCER_LENGTH, "0"),
        "uploaded_at": source.event_time,
    }


def is_later(version: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Whether a version of a key was uploaded after another version of the same key.

    Both are given by their `version_attributes`. The sequencer decides, regardless of the order in
    which events arrive. A version that was found in the bucket, not announced by an event, has no
    sequencer; then the time of upload decides.
    """
    ours, theirs = str(version["sequencer"]), str(other["sequencer"])
    if ours.strip("0") and theirs.strip("0"):
        length = max(len(ours), len(theirs))
        return ours.ljust(length, "0") > theirs.ljust(length, "0")
    return datetime.fromisoformat(version["uploaded_at"]) > datetime.fromisoformat(
        other["uploaded_at"]
    )


@dataclass(frozen=True)
class Rank:
    """Which version of a key an output was made from, and by which execution.

    A later version ranks higher, whenever it was processed. For the same version the execution that
    started later ranks higher, such as one with corrections.
    """

    file_id: str
    sequencer: str
    uploaded_at: str
    execution: str
    started_at: str

    @classmethod
    def of(cls, source: Source, execution: Execution) -> Self:
        """The rank of this execution's output from this version."""
        return cls(
            source.file_id,
            source.sequencer,
            source.event_time,
            execution.name,
            execution.start_time,
        )

    def to_metadata(self) -> dict[str, str]:
        """As an object's user metadata, which can only be ASCII."""
        return {
            name.replace("_", "-"): quote(value, safe=":") for name, value in asdict(self).items()
        }

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, str]) -> Self | None:
        """The rank in an object's user metadata; None if the pipeline didn't write the object."""
        names = cls.__dataclass_fields__
        try:
            return cls(**{name: unquote(metadata[name.replace("_", "-")]) for name in names})
        except KeyError:
            return None

    def is_above(self, other: Rank) -> bool:
        """Whether an output of this rank replaces one of the other rank."""
        if self.file_id != other.file_id:
            ours, theirs = self._version(), other._version()
            if is_later(ours, theirs):
                return True
            if is_later(theirs, ours):
                return False
        # Start times have milliseconds. The name decides between two of the same one, so that of
        # any two executions exactly one ranks higher.
        return (self.started_at, self.execution) > (other.started_at, other.execution)

    def _version(self) -> dict[str, str]:
        return {"sequencer": self.sequencer, "uploaded_at": self.uploaded_at}

    def to_document(self) -> dict[str, str]:
        """The output that superseded another one, as the state document records it."""
        return {"file_id": self.file_id, "execution": self.execution}
