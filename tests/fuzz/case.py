"""A drawn file and the ways in which it is read: everything that reproduces a finding."""

from __future__ import annotations

import base64
import gzip
import io
import json
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

CORPUS = Path(__file__).with_name("corpus")


@dataclass(frozen=True)
class Case:
    """`content` is the file before compression into `members` gzip members (0: none).

    With -1 members it is the only file of a ZIP archive. `contract` is its descriptor, None for a
    dataset without one. The file is read whole, in blocks of `block` bytes that come in pieces of
    `chunk`, in splits of about `split` bytes (0: not at all), and by `processes` processes.
    """

    content: bytes
    contract: Mapping[str, Any] | None
    block: int = 64
    chunk: int = 7
    split: int = 0
    members: int = 0
    processes: int = 1

    @property
    def stored(self) -> bytes:
        """The file as it would be uploaded."""
        if not self.members:
            return self.content
        if self.members < 0:
            return _archive(self.content)
        size = -(-len(self.content) // self.members) or 1
        parts = [self.content[at : at + size] for at in range(0, len(self.content), size)]
        return b"".join(gzip.compress(part, mtime=0) for part in parts or [b""])

    @property
    def name(self) -> str:
        """The file's name."""
        if self.members < 0:
            return "file.zip"
        return "file.csv.gz" if self.members else "file.csv"

    def with_content(self, content: bytes) -> Case:
        """The same case with another file."""
        return replace(self, content=content)

    def to_text(self) -> str:
        """JSON. `shown` is for people: the content where it is text."""
        document = {
            "shown": self.content.decode("utf-8", "backslashreplace"),
            "content": base64.b64encode(self.content).decode(),
            "contract": self.contract,
            "block": self.block,
            "chunk": self.chunk,
            "split": self.split,
            "members": self.members,
            "processes": self.processes,
        }
        return json.dumps(document, indent=2) + "\n"

    @classmethod
    def from_text(cls, text: str) -> Case:
        """Read what `to_text` wrote."""
        document = json.loads(text)
        del document["shown"]
        return cls(**document | {"content": base64.b64decode(document["content"])})


def _archive(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._file.csv", b"not the file")
        # A fixed time, so that the same case has the same bytes.
        archive.writestr(zipfile.ZipInfo("folder/file.csv"), content, zipfile.ZIP_DEFLATED)
    return file.getvalue()
