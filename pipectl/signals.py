"""Ctrl-C, SIGTERM and the end of the terminal for commands that run until somebody ends them."""

from __future__ import annotations

import signal
import threading


def ending_signals() -> threading.Event:
    """An event that Ctrl-C, SIGTERM and SIGHUP set, instead of their usual effect.

    A terminal that is closed, or whose connection is lost, sends SIGHUP. If it is ignored, as under
    `nohup`, it stays so.
    """
    ending = threading.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    hangup = getattr(signal, "SIGHUP", None)  # Windows has none
    if hangup is not None and signal.getsignal(hangup) is not signal.SIG_IGN:
        numbers.append(hangup)
    for number in numbers:
        signal.signal(number, lambda *_: ending.set())
    return ending
