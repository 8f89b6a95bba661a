"""How EXECUTION|FILE_ID is read."""

from __future__ import annotations

import pytest

from pipectl.client.targets import Target, read_target
from pipectl.errors import UsageError

FILE_ID = "0123456789abcdef" * 2
ARN = "arn:aws:states:eu-central-1:123456789012:execution:data-pipeline-dev"
BY_HAND = "b3b1c8a0-1111-2222-3333-444455556666"


@pytest.mark.parametrize(
    ("text", "file_id", "execution"),
    [
        (FILE_ID, FILE_ID, None),
        (f"{FILE_ID}-r1", FILE_ID, FILE_ID),
        (f"{FILE_ID}-r2", FILE_ID, f"{FILE_ID}-r2"),
        (f"{ARN}:{FILE_ID}", FILE_ID, f"{ARN}:{FILE_ID}"),
        (BY_HAND, None, BY_HAND),
        (f"{ARN}:{BY_HAND}", None, f"{ARN}:{BY_HAND}"),
    ],
)
def test_a_file_or_an_execution_is_named(
    text: str, file_id: str | None, execution: str | None
) -> None:
    assert read_target(text) == Target(text, file_id, execution)


@pytest.mark.parametrize("text", ["", "raw/orders/a.csv", "a b", "arn:aws:s3:::bucket", "x" * 81])
def test_anything_else_is_a_usage_error(text: str) -> None:
    with pytest.raises(UsageError):
        read_target(text)
