r"""Patterns as contracts write them, translated to the syntax of the engine.

The engine (the `regex` crate of Rust) has extensions of its own, such as set operations within a
class. So every pattern is parsed and written in the engine's syntax: no part of it can have a
meaning that the contract's author did not intend.

Example: `[a-z-[aeiou]]` is XML Schema's subtraction of classes. It becomes `[[a-z]--[aeiou]]`, the
engine's notation. `[a&&b]` is a class of three characters for the author, but an intersection for
the engine, so it becomes `[a\&\&b]`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

MAX_POSITIONS = 2_000
"""The size of a pattern with its repetitions written out: `[a-z]{2,5}` is 5. In the worst case the
time for a text grows with the product of this and the text's length: at 2,000 it is some ten
seconds a megabyte, for patterns made for it (`.*1.{1998}`); ordinary ones do 100 MB a second."""
_MAX_DEPTH = 100

_NAME_START = (
    r":A-Z_a-z\x{c0}-\x{d6}\x{d8}-\x{f6}\x{f8}-\x{2ff}\x{370}-\x{37d}\x{37f}-\x{1fff}"
    r"\x{200c}-\x{200d}\x{2070}-\x{218f}\x{2c00}-\x{2fef}\x{3001}-\x{d7ff}\x{f900}-\x{fdcf}"
    r"\x{fdf0}-\x{fffd}\x{10000}-\x{effff}"
)
"""The characters that may begin a name in XML 1.0 (fifth edition, production 4)."""
_NAME = rf"{_NAME_START}\-.0-9\x{{b7}}\x{{300}}-\x{{36f}}\x{{203f}}-\x{{2040}}"
_NAMES = {"i": _NAME_START, "c": _NAME}

_CATEGORY = re.compile(r"\{(\w+)\}")
_CATEGORIES = {
    "L": "ultmo",
    "M": "nce",
    "N": "dlo",
    "P": "cdseifo",
    "Z": "slp",
    "S": "mcko",
    "C": "cfon",
}
"""Unicode's general categories as XML Schema lists them: families, and what may follow each."""
_WITHOUT_ESCAPED = ("L", "M", "N", "Z")
"""Families of categories without any quote, backslash or control character."""
_COUNT = re.compile(r"\{([0-9]*)(,?)([0-9]*)\}")
_HEXADECIMAL = {"x": 2, "u": 4, "U": 8}
_OCTAL = re.compile("[0-7]{0,2}")
_FLAGS = re.compile(r"\?([ims]*(?:-[ims]+)?)([:)])")
_GROUP_NAME = re.compile(r"\?P?<[^\W\d]\w*>")
_CONTROLS = {"n": "\n", "r": "\r", "t": "\t", "f": "\f", "v": "\v", "a": "\a"}
_META = frozenset(r"\.+*?()|[]{}^$#&-~")
_UNSUPPORTED_GROUPS = {
    "?=": "lookahead (?=...)",
    "?!": "lookahead (?!...)",
    "?<=": "lookbehind (?<=...)",
    "?<!": "lookbehind (?<!...)",
    "?P=": "backreferences (?P=name)",
    "?P>": "recursion (?P>name)",
    "?>": "atomic groups (?>...)",
    "?(": "conditional groups (?(...)...)",
    "?#": "comments (?#...)",
}


class PatternPiece(NamedTuple):
    """A translated part of a pattern.

    `text` is the part in the engine's syntax, `positions` its size with repetitions written out.
    `escape_free` says that it matches nothing that JSON escapes.
    """

    text: str
    positions: int = 1
    escape_free: bool = True
    repeatable: bool = True


def translate(pattern: str) -> PatternPiece:
    """The whole pattern in the engine's syntax; raises ValueError with what is not supported."""
    return _Translation(pattern).run()


class _Translation:
    """One pass over a pattern; `at` is the position of the next character."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.depth = 0

    def run(self) -> PatternPiece:
        whole = self._alternatives()
        if self.at < len(self.pattern):
            raise ValueError(f"the parenthesis at character {self.at + 1} closes no group")
        return whole

    def _alternatives(self) -> PatternPiece:
        """Translate up to the end of the group, or of the pattern."""
        pieces: list[PatternPiece] = []
        while self.at < len(self.pattern) and not self._looking_at(")"):
            if self._accept("|"):
                pieces.append(PatternPiece("|", 0, repeatable=False))
                continue
            piece = self._quantified(self._atom())
            pieces.append(piece)
        return PatternPiece(
            "".join(piece.text for piece in pieces),
            _checked_size(sum(piece.positions for piece in pieces)),
            all(piece.escape_free for piece in pieces),
        )

    def _atom(self) -> PatternPiece:
        character = self._next()
        if character == "[":
            return self._character_class()
        if character == "\\":
            return self._escape()
        if character == "(":
            return self._group()
        if character == ".":
            return PatternPiece(".", escape_free=False)
        if character in "^$":
            return PatternPiece(character, 0, repeatable=False)
        if character in "*+?" or (character == "{" and self._is_count()):
            raise ValueError(f"there is nothing to repeat before character {self.at}")
        return _literal(character)

    def _is_count(self) -> bool:
        """Whether the brace that has been read begins a repetition; other braces are literal."""
        match = _COUNT.match(self.pattern, self.at - 1)
        return match is not None and match[0] != "{}"

    def _quantified(self, piece: PatternPiece) -> PatternPiece:
        start = self.at
        most = 1
        if self._accept("*") or self._accept("+") or self._accept("?"):
            written = self.pattern[start]
        else:
            match = _COUNT.match(self.pattern, self.at)
            if match is None or match[0] == "{}":
                return piece
            self.at = match.end()
            least = _count(match[1]) if match[1] else 0
            most = _count(match[3]) if match[3] else least
            if match[3] and least > most:
                raise ValueError(f"the repetition {match[0]} has its numbers in the wrong order")
            written = f"{{{least}{match[2]}{match[3]}}}"
        if not piece.repeatable:
            raise ValueError(f"there is nothing to repeat before character {start + 1}")
        lazy = "?" if self._accept("?") else ""
        if self._looking_at("+"):
            raise ValueError("possessive repetitions such as a++ are not supported")
        if self._looking_at("*") or self._looking_at("?") or self._looks_at_count():
            raise ValueError(f"the repetition at character {self.at + 1} follows another one")
        size = _checked_size(max(piece.positions, 1) * max(most, 1))
        return PatternPiece(f"{piece.text}{written}{lazy}", size, piece.escape_free)

    def _looks_at_count(self) -> bool:
        match = _COUNT.match(self.pattern, self.at)
        return match is not None and match[0] != "{}"

    def _group(self) -> PatternPiece:
        """Translate a group whose parenthesis has been read. No group captures anything."""
        for mark, what in _UNSUPPORTED_GROUPS.items():
            if self._looking_at(mark):
                raise ValueError(
                    f"{what} are not supported: patterns run on an engine with linear time, which "
                    "has none"
                )
        opening = self._group_opening()
        if opening.endswith(")"):
            return PatternPiece(opening, 0, repeatable=False)
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"its groups are nested more than {_MAX_DEPTH} deep")
        inner = self._alternatives()
        self.depth -= 1
        if not self._accept(")"):
            raise ValueError("a group is not closed")
        return inner._replace(text=f"{opening}{inner.text})")

    def _group_opening(self) -> str:
        start = self.at
        if not self._looking_at("?"):
            return "(?:"
        named = _GROUP_NAME.match(self.pattern, self.at)
        if named:
            self.at = named.end()
            return "(?:"
        flags = _FLAGS.match(self.pattern, self.at)
        if flags is None or flags[0] == "?)":
            raise ValueError(
                f"the group at character {start} is not of a supported kind: (...), "
                "(?:...), (?P<name>...) and the flags i, m and s, as in (?i)"
            )
        if flags[2] == ")" and start != 1:
            raise ValueError(f"flags such as {flags[0]} must be the first thing in a pattern")
        self.at = flags.end()
        return f"({flags[0]}"

    def _character_class(self) -> PatternPiece:
        """Translate a class whose bracket has been read."""
        negated = self._accept("^")
        parts: list[PatternPiece] = []
        while True:
            if self._looking_at("]") and parts:
                break
            if self._looking_at("-[") and parts:
                return self._subtraction(_class(parts, negated=negated))
            parts.append(self._class_part())
        self.at += 1
        return _class(parts, negated=negated)

    def _subtraction(self, base: PatternPiece) -> PatternPiece:
        self.at += 2
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ValueError(f"its classes are nested more than {_MAX_DEPTH} deep")
        subtracted = self._character_class()
        self.depth -= 1
        if not self._accept("]"):
            raise ValueError("a class that is subtracted must be the last part of a class")
        return base._replace(text=f"[{base.text}--{subtracted.text}]")

    def _class_part(self) -> PatternPiece:
        """Translate a character, a range or a set within a class."""
        first = self._class_character()
        if not self._looking_at("-") or self._looking_at("-]") or self._looking_at("-["):
            return _literal(first) if isinstance(first, str) else first
        start = self.at
        self.at += 1
        last = self._class_character()
        if not (isinstance(first, str) and isinstance(last, str)):
            raise ValueError(
                f"the hyphen at character {start + 1} makes a range of a set of characters; put it "
                "at the end of the class"
            )
        if first > last:
            raise ValueError(f"the range {first}-{last} of a class is in the wrong order")
        return PatternPiece(
            f"{_literal(first).text}-{_literal(last).text}",
            escape_free=first > "\x1f" and not any(first <= char <= last for char in '"\\'),
        )

    def _class_character(self) -> str | PatternPiece:
        character = self._next()
        if character != "\\":
            return character
        letter = self._next()
        return "\b" if letter == "b" else self._escaped(letter)

    def _escape(self) -> PatternPiece:
        """Translate an escape outside of classes, whose backslash has been read."""
        letter = self._next()
        if letter in "bBAzZ":
            return PatternPiece("\\" + ("z" if letter == "Z" else letter), 0, repeatable=False)
        found = self._escaped(letter)
        return _literal(found) if isinstance(found, str) else found

    def _escaped(self, letter: str) -> str | PatternPiece:
        """The character, or the set of characters, that an escape means."""
        if letter in "dwDWsS":
            return PatternPiece(f"\\{letter}", escape_free=letter in "dw")
        if letter in "pP":
            return self._category(letter)
        if letter in "icIC":
            negation = "^" if letter.isupper() else ""
            names = _NAMES[letter.lower()]
            return PatternPiece(f"[{negation}{names}]", escape_free=not negation)
        return self._escaped_character(letter)

    def _escaped_character(self, letter: str) -> str:
        if letter in _CONTROLS:
            return _CONTROLS[letter]
        if letter in _HEXADECIMAL:
            return self._hexadecimal(letter)
        if letter == "0":
            match = _OCTAL.match(self.pattern, self.at)
            digits = match[0] if match else ""
            self.at += len(digits)
            return chr(int(digits or "0", 8))
        if letter in "123456789":
            raise ValueError(
                f"backreferences such as \\{letter} are not supported: patterns run on an engine "
                "with linear time, which has none"
            )
        if letter.isascii() and letter.isalnum():
            raise ValueError(f"there is no escape \\{letter}")
        return letter

    def _category(self, letter: str) -> PatternPiece:
        match = _CATEGORY.match(self.pattern, self.at)
        if match is None:
            raise ValueError(f"\\{letter} must be followed by a category, such as \\p{{L}}")
        name = match[1]
        if name.startswith("Is"):
            raise ValueError(f"block names such as \\{letter}{match[0]} are not supported")
        if len(name) > 2 or name[1:] not in _CATEGORIES.get(name[0], "\0"):
            raise ValueError(f"there is no category \\{letter}{match[0]}")
        self.at = match.end()
        return PatternPiece(
            f"\\{letter}{{{name}}}", escape_free=letter == "p" and name[0] in _WITHOUT_ESCAPED
        )

    def _hexadecimal(self, letter: str) -> str:
        size = _HEXADECIMAL[letter]
        digits = self.pattern[self.at : self.at + size]
        if not re.fullmatch(f"[0-9A-Fa-f]{{{size}}}", digits):
            raise ValueError(f"\\{letter} must be followed by {size} hexadecimal digits")
        self.at += size
        code = int(digits, 16)
        if 0xD800 <= code <= 0xDFFF or code > 0x10FFFF:
            raise ValueError(f"\\{letter}{digits} is no character")
        return chr(code)

    def _next(self) -> str:
        if self.at >= len(self.pattern):
            raise ValueError("it ends within a character class or an escape")
        self.at += 1
        return self.pattern[self.at - 1]

    def _looking_at(self, text: str) -> bool:
        return self.pattern.startswith(text, self.at)

    def _accept(self, text: str) -> bool:
        """Step over a text, if it is next."""
        found = self._looking_at(text)
        self.at += len(text) * found
        return found


def _literal(character: str) -> PatternPiece:
    if "\ud800" <= character <= "\udfff":
        raise ValueError("it contains half of a surrogate pair, which is not a character")
    text = f"\\{character}" if character in _META else character
    return PatternPiece(text, escape_free=character > "\x1f" and character not in '"\\')


def _class(parts: list[PatternPiece], *, negated: bool) -> PatternPiece:
    text = "".join(part.text for part in parts)
    escape_free = not negated and all(part.escape_free for part in parts)
    return PatternPiece(f"[{'^' * negated}{text}]", escape_free=escape_free)


def _count(digits: str) -> int:
    """Read a repetition's number. Python is slow for very many digits."""
    significant = digits.lstrip("0")
    return _checked_size(int(significant[:10] or "0"))


def _checked_size(positions: int) -> int:
    if positions > MAX_POSITIONS:
        raise ValueError(
            f"it is larger than {MAX_POSITIONS} characters when its repetitions are written out; "
            "for lengths use minLength and maxLength"
        )
    return positions
