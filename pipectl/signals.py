"""Ctrl-C and SIGTERM for commands that run until somebody ends them."""

from __future__ import annotations

import signal
import threading


def ending_signals() -> threading.Event:
    """An event that Ctrl-C and SIGTERM set, instead of their usual effect."""
    ending = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ending.set())
    return ending
