"""`pipectl contract import`: make a contract from another standard's document."""

from __future__ import annotations

from pathlib import Path

import click

from pipectl.errors import PipectlError, UsageError
from pipectl.output import echo, echo_json
from shared.text import exact_json


@click.command(
    "import", epilog="Example: pipectl contract import orders.odcs.yaml --out orders.json"
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--resource", help="The resource or table, if the document has several.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write to.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
def import_document(*, file: Path, resource: str | None, out: Path | None, force: bool) -> None:
    """Make a contract from FILE: a Frictionless Data Package or an ODCS data contract.

    FILE is JSON or YAML. A data contract of the Open Data Contract Standard (ODCS) must have
    version 3. Lines that begin with "note:" say what is left out.

    Exit status: 0 on success, 1 if FILE is neither or the contract would be invalid, 2 on usage
    errors.
    """
    from pipectl.local.contract_import import import_contract
    from tabular.contract.descriptor import read_contract
    from tabular.errors import InvalidContract
    from tabular.writing.output_formats import FORMATS

    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} exists. Pass --force to overwrite it, or name another file.")
    imported = import_contract(file, resource)
    text = exact_json(imported.document, indent=2) + "\n"
    try:
        contract = read_contract(text.encode(), output_formats=FORMATS)
    except InvalidContract as error:
        problems = [f"  {path}: {message}" for path, message in error.problems]
        raise PipectlError(f"{file}: the contract would be invalid.", *problems) from None
    for note in imported.notes:
        echo(f"note: {note}", err=True)
    if out is None:
        echo_json(imported.document)
    else:
        out.write_text(text, encoding="utf-8")
        echo(f"Wrote {out}, {len(contract.fields)} fields.", err=True)
