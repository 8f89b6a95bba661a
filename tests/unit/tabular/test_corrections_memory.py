"""A corrected file of the maximum size fits in memory, whatever its shape."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipectl.scale.deployed import read_deployed

PROJECT = Path(__file__).parents[3]
SCRIPT = """
import json, os, sys
from pipectl.embedded.sandbox import resident_bytes
from tabular.contract.descriptor import read_contract
from tabular.reading import corrected_rows
from tabular.reading.layout import read_layout
from tabular.writing.corrections import corrections_head
from tabular.writing.output_formats import FORMATS

columns = int(sys.argv[1])
names = [f"c{number}" for number in range(columns)]
fields = [{"name": name, "type": "integer"} for name in names]
contract = json.dumps({"schema": {"fields": fields}, "dialect": {"delimiter": ","}}).encode()
layout = read_layout(
    ",".join(names).encode() + b"\\n" + b"x," * (columns - 1) + b"x\\n",
    size=10**9,
    name="file.csv",
    contract=read_contract(contract, output_formats=FORMATS),
)
head = corrections_head(layout)


def rows(cell, length):
    end = b",," + b",".join([cell] * columns) + b",\\n"
    number, left = 1, length
    while left >= 20 + len(end):
        row = b"%d" % number + end
        left -= len(row)
        number += 1
        yield row


length = corrected_rows.MAX_CORRECTED_BYTES - len(head)
generated = iter([head + b"".join(rows(b"x", 100_000))])
uploaded = head + b"".join(rows(b"1", length))
found = corrected_rows.read_corrected_rows(uploaded, generated, layout)
del uploaded
patch = next(found)
assert patch.after == ("1",) * columns
# Not `ru_maxrss`: on Linux, that includes what the process has had that started this one.
print(resident_bytes(os.getpid()))
"""


@pytest.mark.long
@pytest.mark.parametrize("columns", [1, 20, 2_000])
def test_a_corrected_file_at_the_limit_takes_less_than_half_of_the_functions_memory(
    columns: int,
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(columns)],
        cwd=PROJECT,
        env={"PYTHONPATH": str(PROJECT / "functions")},
        capture_output=True,
        text=True,
        check=True,
    )
    deployed = read_deployed(PROJECT / "template.yaml", {})
    memory = deployed.functions["ParseCsvFunction"].memory_mb
    assert int(done.stdout) < memory * 1024 * 1024 / 2
