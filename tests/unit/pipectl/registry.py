"""The commands that `pipectl` has, as click knows them."""

from __future__ import annotations

from collections.abc import Iterator

import click


def commands_below(group: click.Group, prefix: str = "") -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, by its words: `contract push` for one in a group."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from commands_below(command, f"{prefix}{name} ")
        elif command is not None:
            yield f"{prefix}{name}", command
