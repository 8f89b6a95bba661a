"""Settings from environment variables, as frozen dataclasses that each step declares."""

from __future__ import annotations

import os
import typing
from collections.abc import Mapping
from dataclasses import fields
from typing import Any, TypeVar

Model = TypeVar("Model")


class SettingsError(Exception):
    """An environment variable that a function needs is missing or cannot be read."""


def from_environment(model: type[Model], environment: Mapping[str, str] | None = None) -> Model:
    """Fill a dataclass from the environment: field `output_bucket` reads `OUTPUT_BUCKET`.

    Fields are `str`, `int` or `float`. Raises `SettingsError` with the variable's name when one
    is missing or is no number.
    """
    variables = os.environ if environment is None else environment
    kinds = typing.get_type_hints(model)
    values: dict[str, Any] = {}
    for field in fields(model):  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
        variable = field.name.upper()
        try:
            values[field.name] = kinds[field.name](variables[variable])
        except KeyError:
            raise SettingsError(f"The environment variable {variable} is not set.") from None
        except ValueError:
            expected = kinds[field.name].__name__
            raise SettingsError(
                f"The environment variable {variable} must be a value of type {expected}."
            ) from None
    return model(**values)
