"""The tutorial's commands print what the tutorial shows."""

from __future__ import annotations

import shutil

import pytest

from tests.documentation.tutorial import KINDS, TUTORIAL, blocks, bodies, made, normal, rewritten

PAGE = TUTORIAL.read_text(encoding="utf-8")


def test_the_tutorial_has_blocks_of_both_kinds() -> None:
    assert {kind for kind, _ in blocks(PAGE)} == set(KINDS)
    assert all(commands for _, commands in blocks(PAGE))


@pytest.mark.slow
def test_commands_that_need_no_stack_print_what_is_shown() -> None:
    shown = [normal(body) for body in bodies(PAGE, ["local"])]
    assert [normal(body) for body in made(PAGE, ["local"])] == shown, "run `make docs`"


@pytest.mark.long
@pytest.mark.skipif(shutil.which("aws") is None, reason="needs the AWS CLI")
def test_all_commands_print_what_is_shown() -> None:
    shown = [normal(body) for body in bodies(PAGE, KINDS)]
    assert [normal(body) for body in made(PAGE)] == shown, "run `make docs`"


def test_blocks_are_rewritten_together_where_one_shows_something_new() -> None:
    start = "<!-- run: local -->\n```console\n$ pipectl"
    page = f"a\n{start} x\nTook 1.3 s\n```\nb\n{start} y\nDone\n```\n"
    first = "$ pipectl x\nTook 2.0 s\n"
    assert rewritten(page, [first, "$ pipectl y\nDone\n"]) == page
    new = rewritten(page, [first, "$ pipectl y\nFailed\n"])
    assert new == page.replace("1.3", "2.0").replace("Done", "Failed")
