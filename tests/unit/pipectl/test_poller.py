"""Partial batch responses, as Lambda reads them."""

from __future__ import annotations

from typing import Any

import pytest

from pipectl.embedded.poller import _refused


@pytest.mark.parametrize(
    ("answer", "refused"),
    [
        (None, []),
        ({}, []),
        ({"batchItemFailures": None}, []),
        ({"batchItemFailures": []}, []),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, ["b"]),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, ["a", "b"]),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, ["a", "b"]),
        ({"batchItemFailures": [{}]}, ["a", "b"]),
    ],
)
def test_what_a_response_refuses(answer: Any, refused: list[str]) -> None:
    assert _refused(answer, ["a", "b"]) == refused
