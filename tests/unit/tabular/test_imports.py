"""What looks at little of a file does without Polars, which takes a third of a second to import."""

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
