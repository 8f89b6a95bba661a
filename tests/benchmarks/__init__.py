"""Measures the CSV engine against others, on the same generated files, in one interleaved run.

`python -m tests.benchmarks --help` tells the options; `docs/benchmarks.md` holds a measured table.
"""
