"""Reads environment variables into the frozen dataclass that each step declares."""

from __future__ import annotations

import os
import typing
from collections.abc import Collection, Mapping
from dataclasses import fields
from functools import cache
from typing import Any, TypeVar

from shared.errors import SettingsError

Model = TypeVar("Model")


def from_environment(model: type[Model], environment: Mapping[str, str] | None = None) -> Model:
    """Fill a dataclass from the environment: field `output_bucket` reads `OUTPUT_BUCKET`.

    Fields are `str`, `int`, `float`, a Literal of strings, a `str` whose metadata lists its
    `choices`, or a class with a `parse` method that takes the text and raises ValueError with what
    is wrong. Raises `SettingsError` with the variable's name if a variable is missing or has an
    invalid value.
    """
    variables = os.environ if environment is None else environment
    kinds = _kinds(model)  # type: ignore[arg-type]  # a class is hashable
    values: dict[str, Any] = {}
    for field in fields(model):  # type: ignore[arg-type]  # a TypeVar cannot say "dataclass"
        variable = field.name.upper()
        kind = kinds[field.name]
        choices = field.metadata.get("choices") or typing.get_args(kind)
        try:
            values[field.name] = _read(kind, choices, variables[variable])
        except KeyError:
            raise SettingsError(f"The environment variable {variable} is not set.") from None
        except ValueError as error:
            raise SettingsError(_fault(variable, kind, choices, error)) from None
    return model(**values)


# Evaluating the annotations takes longer than all the rest.
@cache
def _kinds(model: type) -> dict[str, Any]:
    return typing.get_type_hints(model)


def _read(kind: Any, choices: Collection[str], text: str) -> Any:
    if not choices:
        return getattr(kind, "parse", kind)(text)
    if text not in choices:
        raise ValueError
    return text


def _fault(variable: str, kind: Any, choices: Collection[str], error: ValueError) -> str:
    """What is wrong with a variable. Only the messages of a `parse` method never quote its text."""
    if choices:
        return f"The environment variable {variable} must be one of {', '.join(choices)}."
    if hasattr(kind, "parse"):
        return f"The environment variable {variable} is not valid: {error}"
    return f"The environment variable {variable} must be a value of type {kind.__name__}."
