"""Each status as a word, a shape and a colour, the same in the page, the drawing and the terminal.

The shape repeats what the colour says, for those who cannot see the colour.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Tone = Literal["good", "bad", "busy", "warn", "plain"]

TERMINAL_COLOURS: dict[Tone, str | None] = {
    "good": "green",
    "bad": "red",
    "busy": "cyan",
    "warn": "yellow",
    "plain": None,
}


class Status(NamedTuple):
    """How a status is shown: its word, its shape, and the tone that becomes a colour."""

    word: str
    shape: str
    tone: Tone


_STATUSES = {
    "succeeded": Status("succeeded", "\u2713", "good"),
    "failed": Status("failed", "\u2715", "bad"),
    "timed_out": Status("timed out", "\u29d6", "bad"),
    "aborted": Status("aborted", "\u25a0", "bad"),
    "refused": Status("refused", "\u2715", "bad"),
    "not_started": Status("not started", "\u2715", "bad"),
    "running": Status("running", "\u25cf", "busy"),
    "started": Status("started", "\u25cf", "busy"),
    "superseded": Status("superseded", "\u21b7", "warn"),
    "caught": Status("failed, caught", "\u2715", "bad"),
    "ok": Status("ok", "\u2713", "good"),
    "missing": Status("missing", "\u25cb", "warn"),
    "differs": Status("differs", "\u2715", "bad"),
    "not run": Status("not run", "\u25cb", "warn"),
    "problem": Status("problem", "\u2715", "bad"),
    "not_entered": Status("not entered", "\u25cb", "plain"),
}


def status_of(name: str) -> Status:
    """The status of this name; an unknown one is its own word, without a colour."""
    return _STATUSES.get(name, Status(name.replace("_", " "), "\u25cb", "plain"))


def terminal_colour(name: str) -> str | None:
    """The colour that a terminal shows the status in; None for the terminal's own."""
    return TERMINAL_COLOURS[status_of(name).tone]
