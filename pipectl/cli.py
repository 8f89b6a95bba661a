"""`pipectl`: the pipeline from the operator's side."""

from __future__ import annotations

import click

def main(): ...
