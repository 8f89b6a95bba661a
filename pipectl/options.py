"""Options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

_INSTALLED = Path(__file__).parent / "project"

# Whether pipectl was installed from a wheel. It then has no repository around it.
IS_INSTALLED = _INSTALLED.is_dir()

# The folder with template.yaml, the workflow and the functions: that of the repository, or the copy
# that a wheel brings.
PROJECT = _INSTALLED if IS_INSTALLED else Path(__file__).parents[1]


def _read_parameters(
    _context: click.Context, _option: click.Parameter, values: tuple[str, ...]
) -> dict[str, str]:
    parameters = {}
    for value in values:
        name, separator, setting = value.partition("=")
        if not separator or not name:
            raise click.BadParameter(f"'{value}' is not of the form NAME=VALUE.")
        parameters[name] = setting
    return parameters


def port_option(
    name: str, default: int, server: str
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """The option for the port of a server of this machine, such as `console`."""
    return click.option(
        name,
        type=click.IntRange(0, 65535),
        default=default,
        show_default=True,
        help=f"Port of the {server} on 127.0.0.1; 0 chooses a free one.",
    )


json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON document and nothing else."
)

wait_option = click.option(
    "--wait/--no-wait", default=True, help="Wait for executions to end.  [default: wait]"
)

parameter_option = click.option(
    "--parameter",
    "parameters",
    multiple=True,
    metavar="NAME=VALUE",
    callback=_read_parameters,
    help="Value of a template parameter, such as OutputFormat=parquet. Repeatable.",
)

file_contract_option = click.option(
    "--contract",
    "contract_path",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Contract for the file: a Data Resource descriptor with a Table Schema. Without it, the"
    " rules for datasets without a contract apply.",
)

template_option = click.option(
    "--template",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    default=PROJECT / "template.yaml",
    help="SAM template of the stack.  [default: template.yaml of the project]",
)

concurrency_option = click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    metavar="N",
    help="Maximum number of concurrent Lambda executions. Further invocations are throttled, as on"
    " AWS. A new account has 10.  [default: no limit]",
)
