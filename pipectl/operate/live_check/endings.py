"""How a check ends without having seen anything."""

from __future__ import annotations


class NotRunError(Exception):
    """The check can't be run in this stack; the message is the reason."""


class InterruptedCheckError(Exception):
    """The user has asked for the end with Ctrl-C, or the process got SIGTERM."""
