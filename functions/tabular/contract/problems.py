"""Reads a JSON document written by people, and collects every problem with the property's path."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

REFUSED_REFERENCE = {
    "$ref": "is not supported: references are not followed; put the content itself here"
}
"""For `Node.check_names`."""

_NEAR = 0.8
"""A property name this similar to a known one (0 to 1, difflib's ratio) is taken for a typo."""
_SHOWN = 40


@dataclass(frozen=True)
class Node:
    """An object of the document: its properties, its path, and the problems of the whole document.

    The reading methods return None (or the default) after they have noted a problem, so that
    reading continues and all problems are reported at once.
    """

    properties: Mapping[str, Any]
    path: str = ""
    problems: list[tuple[str, str]] = field(default_factory=list)

    def has(self, name: str) -> bool:
        """Whether a property is present and not null."""
        return self.properties.get(name) is not None

    def wrong(self, name: str, message: str) -> None:
        """Note a problem of a property or, with an empty name, of this object itself."""
        self.problems.append((self.path_of(name) or "(document)", message))

    def path_of(self, name: str) -> str:
        """Give the path of a property, such as `schema.fields[3].constraints.minimum`."""
        if not name or not self.path:
            return self.path or name
        return self.path + name if name.startswith("[") else f"{self.path}.{name}"

    def text(self, name: str, default: str) -> str:
        """Read a text that is not empty."""
        value = self._typed(name, str, "text")
        if value == "":
            self.wrong(name, "expected text that is not empty")
        return value or default

    def character(self, name: str, *, may_be_empty: bool = True) -> str | None:
        """Read a text of exactly one character; absent, null and empty give None."""
        value: str | None = self._typed(name, str, "one character")
        if value is not None and len(value) != 1 and not (value == "" and may_be_empty):
            self.wrong(name, f"expected one character, found {shown(value)}")
            return None
        return value or None

    def choice(self, name: str, choices: Collection[str], default: str) -> str:
        """Read a text that is one of the given words."""
        value = self._typed(name, str, "one of " + ", ".join(choices))
        if value is None:
            return default
        if value not in choices:
            hint = did_you_mean(value, choices)
            self.wrong(name, f"expected one of {', '.join(choices)}, found {shown(value)}{hint}")
            return default
        return str(value)

    def flag(self, name: str, default: bool) -> bool:
        """Read true or false."""
        value = self._typed(name, bool, "true or false")
        return default if value is None else bool(value)

    def integer(self, name: str, *, lowest: int) -> int | None:
        """Read an integer that is at least `lowest`."""
        if not self.has(name):
            return None
        value = self.properties[name]
        if type(value) is not int or value < lowest:
            self.wrong(name, f"expected an integer of at least {lowest}, found {shown(value)}")
            return None
        return value

    def texts(self, name: str) -> tuple[str, ...] | None:
        """Read a list of texts that differ from each other."""
        if not self.has(name):
            return None
        value = self.properties[name]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.wrong(name, f"expected a list of texts, found {shown(value)}")
            return None
        if len(set(value)) < len(value):
            self.wrong(name, "expected texts that differ from each other")
            return None
        return tuple(value)

    def child(self, name: str) -> Node:
        """Read an object; an empty one if it is absent or not an object."""
        value = self.properties.get(name)
        if value is not None and not isinstance(value, dict):
            self.wrong(name, f"expected an object, found {shown(value)}")
            value = None
        return Node(value or {}, self.path_of(name), self.problems)

    def children(self, name: str) -> list[Node]:
        """Read a list of objects."""
        items = self.properties.get(name)
        if not isinstance(items, list):
            self.wrong(name, f"expected a list, found {shown(items)}")
            return []
        nodes = []
        for index, item in enumerate(items):
            if isinstance(item, dict):
                nodes.append(Node(item, f"{self.path_of(name)}[{index}]", self.problems))
            else:
                self.wrong(f"{name}[{index}]", f"expected an object, found {shown(item)}")
        return nodes

    def check_names(
        self,
        effective: Iterable[str],
        *,
        refused: Mapping[str, str],
        ignored: Collection[str] = (),
        strict: bool = False,
    ) -> None:
        """Note the properties that would have no effect although their author expects one.

        `effective` are those with a meaning here. `refused` maps names to why they are not allowed
        here. Other names that are not in `ignored` may be custom properties; only a name that is
        nearly an effective one is taken for a typo. With `strict`, unknown names are problems.
        """
        effective = tuple(effective)
        for name, value in self.properties.items():
            if name in effective or name in ignored or value is None:
                continue
            hint = did_you_mean(name, effective)
            if name in refused:
                self.wrong(name, refused[name])
            elif hint or strict:
                self.wrong(
                    name, "unknown property" + (hint or f", known are {', '.join(effective)}")
                )

    def _typed(self, name: str, kind: type, expected: str) -> Any:
        value = self.properties.get(name)
        if value is not None and not isinstance(value, kind):
            self.wrong(name, f"expected {expected}, found {shown(value)}")
            return None
        return value


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give `, did you mean ...?` for the known word nearest to a misspelt one, or nothing."""
    rated = [
        (SequenceMatcher(None, word.lower(), candidate.lower()).ratio(), candidate)
        for candidate in known
    ]
    ratio, candidate = max(rated, default=(0.0, ""))
    return f", did you mean {candidate!r}?" if ratio >= _NEAR else ""


def shown(value: Any) -> str:
    """The value that was found instead of the expected one, shortened."""
    if value is None:
        return "nothing"
    # Numbers with a point are read as Decimal, so that they keep their digits.
    text = str(value) if isinstance(value, Decimal) else repr(value)
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"
