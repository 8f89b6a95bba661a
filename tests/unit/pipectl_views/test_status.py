"""Statuses are shown by word, shape and colour, and no two look alike without the colour."""

from __future__ import annotations

from pipectl.client.history import STATUS
from pipectl.views.status import status_of, terminal_colour


def test_every_status_of_step_functions_has_a_word_a_shape_and_a_tone() -> None:
    for name in STATUS.values():
        status = status_of(name)
        assert status.word == name.replace("_", " ")
        assert status.tone != "plain"
        assert terminal_colour(name) is not None


def test_the_shape_says_what_the_colour_says() -> None:
    names = ("succeeded", "failed", "timed_out", "aborted", "running", "superseded", "not_entered")
    shapes = [status_of(name).shape for name in names]
    assert len(set(shapes)) == len(shapes)


def test_an_unknown_status_is_its_own_word() -> None:
    assert status_of("some_thing") == ("some thing", "\u25cb", "plain")
    assert terminal_colour("planned") is None
