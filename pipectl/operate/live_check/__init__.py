"""`pipectl live-check`: whether AWS does what the pipeline relies on, seen in a deployed stack.

`registry.py` lists the checks. Each is a function that takes a `Workspace`, which sends files,
waits and finally removes everything that was made, and returns what it has seen.
"""
