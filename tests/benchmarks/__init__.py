"""Measures the CSV engine against others, on the same generated files, in one interleaved run.

`python -m tests.benchmarks --help` lists the options; `docs/benchmarks.md` has the results.
"""
