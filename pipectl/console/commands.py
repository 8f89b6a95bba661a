"""The `pipectl` command that does the same as a button."""

from __future__ import annotations

from dataclasses import dataclass

from shared.text import shell_word


@dataclass(frozen=True)
class Commands:
    """Writes commands for one stack; `options` name it, such as `--stack-name data-pipeline`."""

    options: tuple[str, ...] = ()

    def line(self, *words: str | None) -> str:
        """A command to paste; words that are None are left out."""
        given = (*(word for word in words if word is not None), *self.options)
        return " ".join(("pipectl", *map(shell_word, given)))
