"""A check of the live check: what the pipeline relies on, and what was seen of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from pipectl.operate.live_check.workspace import Workspace

Verdict = Literal["ok", "differs", "not run"]
Cost = Literal["requests", "small file", "large file"]

# US cents that a check with its own files takes at most, by the prices of us-east-1. A large file
# of 512 MiB takes about 100 GB-seconds of Lambda (0.17 cents), some hundred requests to S3 and
# state transitions (0.2 cents) and a few kilobytes of logs. The rest is a margin.
CENTS: Mapping[Cost, float] = {"requests": 0.1, "small file": 0.2, "large file": 2.0}


@dataclass(frozen=True)
class Seen:
    """What a check has seen: in a sentence, whether it is as expected, and the answers behind it.

    The evidence has codes, counts, names and times, never a cell of a file.
    """

    text: str
    as_expected: bool
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class LiveCheck:
    """One line of the live check.

    `relies_on` is what the pipeline takes for granted, `source` the page that says so, or None
    where no documentation does. An `invasive` one changes a function's settings while it runs.
    """

    name: str
    relies_on: str
    expected: str
    look: Callable[[Workspace], Seen]
    source: str | None = None
    invasive: bool = False
    cost: Cost = "small file"


@dataclass(frozen=True)
class CheckResult:
    """A check and its verdict; `text` is what was seen, or why it was not run."""

    check: LiveCheck
    verdict: Verdict
    text: str
    seconds: float = 0.0
    evidence: Mapping[str, Any] = field(default_factory=dict)

    def to_document(self) -> dict[str, Any]:
        """The result as `--json` prints it."""
        return {
            "name": self.check.name,
            "relies_on": self.check.relies_on,
            "expected": self.check.expected,
            "seen": self.text,
            "verdict": self.verdict,
            "invasive": self.check.invasive,
            "source": self.check.source,
            "seconds": round(self.seconds, 1),
            "evidence": dict(self.evidence),
        }
