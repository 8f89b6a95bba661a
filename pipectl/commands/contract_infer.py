"""`pipectl contract infer`: draft a contract from files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipectl.errors import PipectlError, UsageError
from pipectl.options import json_option
from pipectl.output import echo, echo_json
from shared.text import exact_json
from tabular.model import MAX_FOOTER_ROWS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pipectl.local.infer.file_reading import FileSample, ReadingOptions
    from pipectl.local.infer.inference import Inference, Options

_SAMPLE_BYTES = 4 * 1024 * 1024
_FILE = click.Path(path_type=Path, exists=True, dir_okay=False)
_WHAT_GOES_ON = (
    "Say how to read it with --encoding, --delimiter, --header-row or --no-header, or leave it out."
)


@click.command(epilog="Example: pipectl contract infer orders.csv --out orders.contract.json")
@click.argument("files", nargs=-1, required=True, type=_FILE)
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="File to write to.")
@click.option("--force", is_flag=True, help="Overwrite the file of --out.")
@click.option(
    "--dataset", help="Name of the dataset in the contract.  [default: the first file's name]"
)
@click.option(
    "--strict",
    is_flag=True,
    help="Give a column a type only if all of its values fit. Otherwise, nine of ten suffice, and"
    " the others are listed.",
)
@click.option(
    "--propose",
    is_flag=True,
    help="Add constraints that the values suggest: required, unique, enum and primaryKey.",
)
@click.option(
    "--update",
    type=_FILE,
    metavar="CONTRACT",
    help="Add the columns that the files have and this contract lacks, and print the result.",
)
@click.option("--whole", is_flag=True, help="Read whole files instead of their first 4 MiB.")
@click.option("--encoding", help="Encoding of the files.  [default: found from their content]")
@click.option(
    "--delimiter",
    help="Delimiter of the files; \\t means tab.  [default: found from their content]",
)
@click.option(
    "--header-row",
    "header_rows",
    type=click.IntRange(min=1),
    multiple=True,
    help="Number of the header row, from 1. Repeatable, for a header of several rows."
    "  [default: found from their content]",
)
@click.option("--no-header", is_flag=True, help="The first row is data, not a header.")
@click.option(
    "--footer-rows",
    type=click.IntRange(0, MAX_FOOTER_ROWS),
    help="Number of rows at the end of every file that are no records, such as a total."
    "  [default: found from their content]",
)
@json_option
def infer(
    *,
    files: tuple[Path, ...],
    out: Path | None,
    force: bool,
    dataset: str | None,
    strict: bool,
    propose: bool,
    update: Path | None,
    whole: bool,
    encoding: str | None,
    delimiter: str | None,
    header_rows: tuple[int, ...],
    no_header: bool,
    footer_rows: int | None,
    as_json: bool,
) -> None:
    """Draft one contract from FILES of a dataset.

    A column gets the type that nearly all of its values have. Every other value is listed: it is
    what `pipectl check` rejects with this contract. A line per column says what was decided; lines
    that begin with "check:" are for you to decide.

    Exit status: 0 on success, 1 if a file can't be read, 2 on usage errors.
    """
    from pipectl.client.uploads import dataset_for
    from pipectl.local.infer.inference import Options

    if out is not None and out.exists() and not force:
        raise UsageError(f"{out} exists. Pass --force to overwrite it, or name another file.")
    options = Options(
        reading=_reading_options(
            encoding, delimiter, header_rows, footer_rows, no_header=no_header
        ),
        strict=strict,
        proposals=propose,
        dataset=dataset_for(dataset, None),
    )
    names = [path.name if len(files) == 1 else str(path) for path in files]
    samples = [_sample(path, name, whole=whole) for path, name in zip(files, names, strict=True)]
    inference = _infer(samples, update, options)
    _print(inference, names, out, as_json=as_json)
    if inference.unread:
        raise SystemExit(1)


def _infer(samples: Sequence[FileSample], update: Path | None, options: Options) -> Inference:
    from pipectl.local.infer.inference import infer_contract, update_contract
    from tabular.errors import TabularError

    try:
        if update is None:
            return infer_contract(samples, options)
        return update_contract(_document(update), samples, options)
    except TabularError as error:
        name = f"{samples[0].name}: " if len(samples) == 1 else ""
        hint = "" if "--" in str(error) else f" {_WHAT_GOES_ON}"
        raise PipectlError(f"{name}{error}{hint}") from None


def _print(inference: Inference, names: Sequence[str], out: Path | None, *, as_json: bool) -> None:
    from pipectl.local.infer.explanation import lines_of, report

    if out is not None:
        out.write_text(exact_json(inference.document, indent=2) + "\n", encoding="utf-8")
    if as_json:
        echo_json(report(inference))
        return
    for line in lines_of(inference, names):
        echo(line, err=True)
    if out is None:
        echo_json(inference.document)
    else:
        echo(f"Wrote {out}.", err=True)


def _sample(path: Path, name: str, *, whole: bool) -> FileSample:
    from pipectl.local.infer.file_reading import FileSample
    from pipectl.local.ranges import ranges_of

    size = path.stat().st_size
    if whole and size > 10 * _SAMPLE_BYTES:
        echo(f"Reading {size / 1024 / 1024:,.0f} MiB of {path}", err=True)
    with path.open("rb") as content:
        head = content.read(-1 if whole else _SAMPLE_BYTES)
    return FileSample(name, head, size, ranges_of(path))


def _document(path: Path) -> dict[str, Any]:
    from tabular.contract.descriptor import read_contract
    from tabular.errors import InvalidContract
    from tabular.writing.output_formats import FORMATS

    data = path.read_bytes()
    try:
        read_contract(data, output_formats=FORMATS)
    except InvalidContract as error:
        raise PipectlError(f"{path}: {error}") from None
    document: dict[str, Any] = json.loads(data.decode("utf-8-sig"))
    return document


def _reading_options(
    encoding: str | None,
    delimiter: str | None,
    header_rows: tuple[int, ...],
    footer_rows: int | None,
    *,
    no_header: bool,
) -> ReadingOptions:
    from pipectl.local.infer.file_reading import ReadingOptions

    if no_header and header_rows:
        raise click.UsageError("--no-header and --header-row can't be used together.")
    if delimiter is not None:
        delimiter = delimiter.replace("\\t", "\t")
        _valid("--delimiter", dialect={"delimiter": delimiter})
    if encoding is not None:
        _valid("--encoding", encoding=encoding)
    return ReadingOptions(
        encoding=encoding,
        delimiter=delimiter,
        header_rows=tuple(sorted(set(header_rows))),
        header=not no_header,
        footer_rows=footer_rows,
    )


def _valid(option: str, **properties: Any) -> None:
    """Report a value that no contract may have as the option's."""
    from tabular.contract.descriptor import parse_contract
    from tabular.errors import InvalidContract

    try:
        parse_contract({"schema": {"fields": [{"name": "a"}]}, **properties})
    except InvalidContract as error:
        raise click.BadParameter(error.problems[0][1], param_hint=option) from None
