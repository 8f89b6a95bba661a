"""Settings from environment variables."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

from shared.errors import SettingsError
from shared.settings import from_environment


@dataclass(frozen=True)
class Settings:
    output_bucket: str
    max_reject_count: int
    max_reject_percent: float
    log_level: Literal["INFO", "DEBUG"]
    output_format: str = field(metadata={"choices": {"jsonl": 1, "parquet": 2}})


COMPLETE = {
    "OUTPUT_BUCKET": "bucket",
    "MAX_REJECT_COUNT": "-1",
    "MAX_REJECT_PERCENT": "0.5",
    "LOG_LEVEL": "DEBUG",
    "OUTPUT_FORMAT": "parquet",
}


def test_each_field_is_its_variable_in_capitals() -> None:
    assert from_environment(Settings, COMPLETE) == Settings("bucket", -1, 0.5, "DEBUG", "parquet")


def test_the_functions_environment_is_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in COMPLETE.items():
        monkeypatch.setenv(name, value)
    assert from_environment(Settings).output_bucket == "bucket"


@pytest.mark.parametrize("variable", COMPLETE)
def test_a_missing_variable_is_named(variable: str) -> None:
    incomplete = {name: value for name, value in COMPLETE.items() if name != variable}
    with pytest.raises(SettingsError, match=f"{variable} is not set"):
        from_environment(Settings, incomplete)


@pytest.mark.parametrize(
    ("variable", "value", "expected"),
    [
        ("MAX_REJECT_COUNT", "1.5", "a value of type int"),
        ("MAX_REJECT_COUNT", "", "a value of type int"),
        ("MAX_REJECT_PERCENT", "half", "a value of type float"),
        ("LOG_LEVEL", "debug", "one of INFO, DEBUG"),
        ("OUTPUT_FORMAT", "csv", "one of jsonl, parquet"),
    ],
)
def test_an_invalid_value_is_named_with_what_is_expected(
    variable: str, value: str, expected: str
) -> None:
    with pytest.raises(SettingsError, match=f"{variable} must be {expected}"):
        from_environment(Settings, {**COMPLETE, variable: value})


def test_a_blank_text_is_a_text() -> None:
    assert from_environment(Settings, {**COMPLETE, "OUTPUT_BUCKET": ""}).output_bucket == ""
