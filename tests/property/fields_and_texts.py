"""Fields of every type and format, and texts that are their values or similar to them."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

NUMBERS = ("1234.5", "-1,234.50", "1.234,5", "€5", "5 %", "NaN", "-INF", "1.5e-5", "+.5", "007")
DATES = ("2024-01-05", "05/01/2024", "5 Jan 2024", "2024-1-5")
MOMENTS = ("2024-01-26T15:00:00Z", "2024-01-26T15:00:00.300-05:00", "2024-01-26 15:00")
SEEDS: dict[str, tuple[str, ...]] = {
    "string": (
        "jane@example.com",
        "https://example.com/a?b=%20#c",
        "aGVsbG8=",
        "123e4567-e89b-12d3-a456-426614174000",
        "Zürich",
    ),
    "number": NUMBERS,
    "integer": ("1234", "1,234", "-5", "+07", "12 pcs", " 3"),
    "boolean": ("true", "False", "1", "0", "yes"),
    "date": DATES,
    "datetime": MOMENTS,
    "time": ("15:00:00", "15:00:00.5Z", "24:00:00", "3:00 PM"),
    "year": ("2024", "-0044", "12024"),
    "yearmonth": ("2024-05", "2024-5"),
    "duration": ("P1Y2M3DT4H5M6.5S", "P2W", "-PT1H", "P1.5D"),
    "object": ('{"a": 1.50}', "{}", '{"a": [null]}'),
    "array": ("[1]", '["a", {}]'),
    "list": ("a,b", "1,2.5", "2024-01-05,2024-01-06", "a;b", "true,0"),
    "geopoint": ("90.5, 45", "[90.5,-45]", '{"lon": 90, "lat": 45}'),
    "any": ("007", ""),
}
VARIANTS: list[dict[str, Any]] = [
    {"type": "string"},
    {"type": "string", "format": "email"},
    {"type": "string", "format": "uri"},
    {"type": "string", "format": "binary"},
    {"type": "string", "format": "uuid"},
    {"type": "number"},
    {"type": "number", "groupChar": ","},
    {"type": "number", "decimalChar": ",", "groupChar": "."},
    {"type": "number", "bareNumber": False},
    {"type": "number", "bareNumber": False, "decimalChar": ",", "groupChar": "."},
    {"type": "integer"},
    {"type": "integer", "groupChar": ","},
    {"type": "integer", "bareNumber": False},
    {"type": "boolean"},
    {"type": "boolean", "trueValues": ["yes"], "falseValues": ["no", ""]},
    {"type": "date"},
    {"type": "date", "format": "%d/%m/%Y"},
    {"type": "date", "format": "any"},
    {"type": "datetime"},
    {"type": "datetime", "format": "%Y-%m-%d %H:%M"},
    {"type": "datetime", "format": "any"},
    {"type": "time"},
    {"type": "time", "format": "%I:%M %p"},
    {"type": "time", "format": "any"},
    {"type": "year"},
    {"type": "yearmonth"},
    {"type": "duration"},
    {"type": "object"},
    {"type": "array"},
    {"type": "list"},
    {"type": "list", "itemType": "integer"},
    {"type": "list", "itemType": "number"},
    {"type": "list", "itemType": "date"},
    {"type": "list", "itemType": "boolean", "delimiter": ";"},
    {"type": "geopoint"},
    {"type": "geopoint", "format": "array"},
    {"type": "geopoint", "format": "object"},
    {"type": "any"},
]
CONSTRAINED: list[dict[str, Any]] = [
    {"type": "string", "constraints": {"required": True, "minLength": 3, "maxLength": 8}},
    {"type": "string", "constraints": {"pattern": "[a-z.@]*", "enum": ["a", "jane@example.com"]}},
    {"type": "number", "constraints": {"minimum": 5, "exclusiveMaximum": "1234.5"}},
    {
        "type": "number",
        "constraints": {"exclusiveMinimum": -5.5, "maximum": 7, "enum": [7, "1.5e-5"]},
    },
    {
        "type": "integer",
        "constraints": {"minimum": "-5", "exclusiveMaximum": 1234, "required": True},
    },
    {"type": "boolean", "constraints": {"enum": [True]}},
    {"type": "date", "constraints": {"minimum": "2024-01-05", "exclusiveMaximum": "2025-01-05"}},
    {"type": "date", "format": "%d/%m/%Y", "constraints": {"maximum": "05/01/2024"}},
    {"type": "time", "constraints": {"exclusiveMinimum": "15:00:00", "maximum": "23:00:00"}},
    {"type": "year", "constraints": {"minimum": 2000, "maximum": "2024"}},
    {"type": "yearmonth", "constraints": {"minimum": "2024-05"}},
    {"type": "object", "constraints": {"minLength": 1, "maxLength": 1}},
    {"type": "array", "constraints": {"maxLength": 1, "required": True}},
    {"type": "list", "constraints": {"minLength": 2, "maxLength": 3}},
    {"type": "any", "constraints": {"enum": ["007"]}},
]


@st.composite
def texts_near(draw: st.DrawFn, seeds: tuple[str, ...]) -> str:
    """A seed with up to three characters put in, taken out or changed; or any text at all."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.text(max_size=12))
    text = draw(st.sampled_from(seeds))
    letters = st.sampled_from(sorted({*"".join(seeds), *"0123456789+-.,: _eT", "٣", "\u00a0"}))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        kept = at + draw(st.integers(0, 1))
        text = text[:at] + draw(st.one_of(st.just(""), letters)) + text[kept:]
    return text
