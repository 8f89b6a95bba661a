"""Code that reads little of a file does not import Polars, which takes a third of a second."""

from __future__ import annotations

import subprocess
import sys

PLAN_WITHOUT_POLARS = f"""
import sys
sys.path[:0] = {sys.path!r}
sys.modules["polars"] = None  # importing it fails
from tabular.reading.layout import read_layout
from tabular.reading.splits import Measure, number_splits, plan_splits
data = b'name,age\\n"x",1\\n' + b"x,1\\n" * 1000
layout = read_layout(data, size=len(data), name="a.csv", contract=None)
splits = plan_splits(layout, lambda start, size: data[start : start + size], split_bytes=1000)
assert len(number_splits(splits, [Measure(1, 1)] * len(splits))) > 2
"""


def test_a_files_head_is_read_and_its_splits_are_planned_without_polars() -> None:
    subprocess.run([sys.executable, "-c", PLAN_WITHOUT_POLARS], check=True)


PARTS_WITHOUT_THE_ENGINE = f"""
import sys
sys.path[:0] = {sys.path!r}
for missing in ("polars", "orjson", "pyarrow"):
    sys.modules[missing] = None  # importing it fails
import write_output.app
from tabular.writing.output_formats import FORMATS
for output_format in FORMATS.values():
    if output_format.load_assembler:
        output_format.load_assembler().check(10, 10)
"""


def test_parts_are_put_together_without_the_engine_which_write_output_does_not_have() -> None:
    subprocess.run([sys.executable, "-c", PARTS_WITHOUT_THE_ENGINE], check=True)


STARTED_WITHOUT_POLARS = f"""
import sys
sys.path[:0] = {sys.path!r}
sys.modules["polars"] = None  # importing it fails
import pipectl.local.processes
from tabular.contract.descriptor import parse_contract
rules = {{"pattern": "(ORD|INV)-[0-9]{{9}}(?: [A-Z]+)?"}}
field = {{"name": "id", "type": "string", "constraints": rules}}
assert parse_contract({{"name": "orders", "schema": {{"fields": [field]}}}}).fields
"""


def test_further_processes_are_started_before_polars_is_imported() -> None:
    subprocess.run([sys.executable, "-c", STARTED_WITHOUT_POLARS], check=True)
