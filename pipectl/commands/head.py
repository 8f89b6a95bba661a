"""`pipectl head`: the first records of a file, as they are and as the pipeline types them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipectl import tables
from pipectl.options import file_contract_option, json_option
from pipectl.output import echo, echo_json, shortened

if TYPE_CHECKING:
    from tabular.reading.layout import Layout

_SHOWN_CHARACTERS = 40


@click.command(epilog="Example: pipectl head orders.csv --contract orders.json -n 3")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@file_contract_option
@click.option(
    "-n",
    "most",
    type=click.IntRange(min=1, max=1000),
    default=5,
    show_default=True,
    help="Number of records.",
)
@json_option
def command(*, file: Path, contract_path: Path | None, most: int, as_json: bool) -> None:
    """Show the first records of FILE: each cell, and what it becomes in the output.

    A rejected cell shows the reason instead.

    Exit status: 0 on success, 1 if the file can't be read, 2 on usage errors.
    """
    from pipectl.local.local_layouts import contract_in, layout_of_file, reading

    layout = layout_of_file(file, contract_in(contract_path))
    with reading(file):
        records = _records(file, layout, most)
    if as_json:
        echo_json({"records": records})
        return
    for record in records:
        state = "rejected" if record["errors"] else "processed"
        echo(f"row {record['row']}, line {record['line']}: {state}")
        if record["cells"] is None:
            echo(f"  {record['raw']}")
        else:
            tables.show(("  FIELD", "CELL", "VALUE"), [_row(one) for one in record["cells"]])
        for error in record["errors"]:
            if error["field"] is None or record["cells"] is None:
                echo(f"  {error['code']}: {error['message']}")


def _row(cell: Mapping[str, Any]) -> tuple[str, str, str]:
    value = f"{cell['code']}: {cell['message']}" if cell["code"] else str(cell["json"])
    return (
        f"  {cell['field']}",
        shortened(cell["text"], _SHOWN_CHARACTERS),
        shortened(value, _SHOWN_CHARACTERS),
    )


def _records(file: Path, layout: Layout, most: int) -> list[dict[str, Any]]:
    """The first records: row, line, raw text, cells by field, and faults."""
    import json
    from dataclasses import replace

    from pipectl.local.local_layouts import HEAD_BYTES
    from pipectl.local.ranges import ranges_of
    from tabular.batch import BatchReader
    from tabular.reading.blocks import split_blocks
    from tabular.reading.content_head import read_content_head
    from tabular.reading.footer import without_footer
    from tabular.reading.records import Records
    from tabular.reading.split import Split
    from tabular.transform import contract_writer
    from tabular.values.cells import reader

    with file.open("rb") as content:
        head = content.read(HEAD_BYTES)
    size = file.stat().st_size
    opened = read_content_head(head, size=size, name=file.name, read=ranges_of(file))
    text = opened.content
    if not opened.complete:
        text = text[: layout.data_start + layout.codec.lines_end(text[layout.data_start :])]
    plain = replace(layout, compression=None, member=None, size=len(text))
    split = Split.whole(plain)
    blocks = split_blocks([text[plain.data_start :]], plain, split)
    every = (Records(block, plain) for block in blocks)
    # The end of a part of a file is no footer.
    records = next(without_footer(every, split.footer_rows if opened.complete else 0), None)
    if records is None:
        return []
    batch = BatchReader(plain, contract_writer(plain)).read(records, 1)
    rejects = {
        reject["row"]: reject
        for lines in batch.rejects.pieces()
        for reject in map(json.loads, bytes(lines).splitlines())
    }
    neutralise = plain.contract.neutralise_formulas
    readers = [
        (column, reader(column.field, neutralise_formulas=neutralise)) for column in plain.columns
    ]
    found = []
    for index in range(min(most, len(records))):
        raw = str(records.texts[index])
        cells = plain.grammar_utf8.cells(raw.encode())
        errors = rejects.get(index + 1, {"errors": []})["errors"]
        found.append(
            {
                "row": index + 1,
                "line": records.block.first_line + int(records.lines[index]),
                "raw": raw,
                "cells": None
                if cells is None or not plain.fits(cells)
                else [
                    _cell(
                        column.field,
                        "" if column.position is None else cells[column.position],
                        read,
                        errors,
                    )
                    for column, read in readers
                ],
                "errors": errors,
            }
        )
    return found


def _cell(field: Any, text: str, read: Any, errors: list[dict[str, Any]]) -> dict[str, Any]:
    """A cell, the JSON text of its value, and its fault if it has one."""
    fault = next((error for error in errors if error["field"] == field.name), None)
    return {
        "field": field.output_name,
        "text": text,
        "json": read(text).json,
        "code": fault["code"] if fault else None,
        "message": fault["message"] if fault else None,
    }
