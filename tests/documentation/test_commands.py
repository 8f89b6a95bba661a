"""Every command in the documentation exists: AWS calls, make targets, `pipectl` commands."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache

import botocore.session
import click
import pytest
from botocore.model import OperationModel

from pipectl.cli import pipectl
from tests.documentation.pages import PAGES, command_lines, name_of
from tests.infrastructure.deployed import ROOT, template

# The AWS CLI's own options of every call.
CLI_OPTIONS = {"query", "output", "endpoint-url", "max-items", "no-paginate"}
# `aws s3` has its own commands: the number of paths that each one takes, and its options.
# https://docs.aws.amazon.com/cli/latest/reference/s3/
S3_SWITCHES = {"recursive", "dryrun", "quiet", "only-show-errors", "no-progress"}
S3_FILTERS = {"include", "exclude"}
S3_COPY_VALUES = {"content-type", "metadata", "sse", "sse-kms-key-id", "storage-class"}
S3_COMMANDS: dict[str, tuple[int, set[str], set[str]]] = {
    "cp": (2, S3_SWITCHES, S3_FILTERS | S3_COPY_VALUES),
    "mv": (2, S3_SWITCHES, S3_FILTERS | S3_COPY_VALUES),
    "sync": (2, S3_SWITCHES - {"recursive"} | {"delete"}, S3_FILTERS | S3_COPY_VALUES),
    "rm": (1, S3_SWITCHES - {"no-progress"}, S3_FILTERS),
    "ls": (1, {"recursive", "human-readable", "summarize"}, set()),
}
CLI_NAMES = {"s3api": "s3"}
OPERATORS = {"|", "||", "&&", ";", ")", ">", "<", "&", "\\"}
LINES = [(name_of(path), line) for path in PAGES for line in command_lines(path.read_text("utf-8"))]


def _words(line: str) -> list[str]:
    """The words of a command, up to a pipe or whatever else ends it."""
    words = shlex.shlex(line.replace("...", ""), posix=True, punctuation_chars=True)
    words.whitespace_split = True
    words.commenters = "#"
    found: list[str] = []
    try:
        for word in words:
            if word in OPERATORS:
                break
            found.append(word)
    except ValueError:  # a quote that ends on a later line
        pass
    return found


def _calls() -> Iterator[tuple[str, list[str]]]:
    """The words of each call of the AWS CLI, with the page."""
    for page, line in LINES:
        found = re.search(r"\baws(?:local)? [a-z].*", line)
        words = _words(found[0]) if found else []
        if len(words) > 2 and words[1] != "configure":
            yield page, words


@cache
def _session() -> botocore.session.Session:
    return botocore.session.get_session()


def _operation(words: list[str]) -> OperationModel:
    """The operation that a call uses; `wait` calls the one of its waiter."""
    session = _session()
    service = CLI_NAMES.get(words[1], words[1])
    model = session.get_service_model(service)
    if words[2] == "wait":
        waiters = session.get_waiter_model(service)
        named = {_dashed(name): name for name in waiters.waiter_names}
        return model.operation_model(waiters.get_waiter(named[words[3]]).operation)
    operations = {_dashed(name): name for name in model.operation_names}
    return model.operation_model(operations[words[2]])


def _dashed(name: str) -> str:
    return botocore.xform_name(name, "-")


ALL_CALLS = list(_calls())
CALLS = [(page, words) for page, words in ALL_CALLS if words[1] != "s3"]
S3_CALLS = [(page, words) for page, words in ALL_CALLS if words[1] == "s3"]


def test_calls_are_found() -> None:
    services = {words[1] for _, words in CALLS}
    assert {"cloudformation", "stepfunctions", "sqs", "dynamodb", "sns", "s3api"} <= services


@pytest.mark.parametrize(("page", "words"), CALLS, ids=[" ".join(words) for _, words in CALLS])
def test_a_call_to_aws_is_one_that_the_service_knows(page: str, words: list[str]) -> None:
    shape = _operation(words).input_shape
    assert shape is not None, page
    known = {_dashed(member) for member in shape.members} | CLI_OPTIONS
    switches = {
        f"no-{_dashed(name)}"
        for name, member in shape.members.items()
        if member.type_name == "boolean"
    }
    options = {word[2:] for word in words if word.startswith("--")}
    assert options <= known | switches, page
    # The CLI makes up a token that only recognises repetitions.
    required = {
        _dashed(name)
        for name in shape.required_members
        if not shape.members[name].metadata.get("idempotencyToken")
    }
    assert required <= options, page


def test_calls_of_aws_s3_are_found() -> None:
    assert {words[2] for _, words in S3_CALLS} >= {"cp", "rm", "ls"}
    assert {page for page, _ in S3_CALLS} >= {"README.md", "docs/operating.md"}


@pytest.mark.parametrize(
    ("page", "words"), S3_CALLS, ids=[" ".join(words) for _, words in S3_CALLS]
)
def test_a_call_of_aws_s3_has_paths_and_options_that_it_takes(page: str, words: list[str]) -> None:
    count, switches, valued = S3_COMMANDS[words[2]]
    paths, options = _paths_and_options(words[3:], valued)
    assert options <= switches | valued | CLI_OPTIONS, page
    assert len(paths) == count, page
    assert any(path.startswith("s3://") for path in paths), page
    # Without it, the filters have only one object to choose from.
    assert "recursive" in options or words[2] == "sync" or not options & S3_FILTERS, page


def _paths_and_options(words: list[str], valued: set[str]) -> tuple[list[str], set[str]]:
    paths: list[str] = []
    options: set[str] = set()
    rest = iter(words)
    for word in rest:
        if not word.startswith("--"):
            paths.append(word)
            continue
        options.add(word[2:])
        if word[2:] in valued:
            assert not next(rest).startswith("--"), word
    return paths, options


def _pipectl_calls() -> Iterator[tuple[str, list[str]]]:
    for page, line in LINES:
        words = _words(line)
        if words and words[0] == "pipectl" and len(words) > 1 and words[1].islower():
            yield page, words[1:]


PIPECTL_CALLS = list(_pipectl_calls())


def test_every_command_of_pipectl_is_used_somewhere() -> None:
    used = {words[0] for _, words in PIPECTL_CALLS}
    assert used == set(pipectl.list_commands(click.Context(pipectl)))


@pytest.mark.parametrize("page", sorted({page for page, _ in PIPECTL_CALLS}))
def test_calls_of_pipectl_have_commands_and_options_that_exist(page: str) -> None:
    wrong = {" ".join(words): _unknown(words) for name, words in PIPECTL_CALLS if name == page}
    assert {call: unknown for call, unknown in wrong.items() if unknown} == {}


def test_commands_and_options_that_do_not_exist_are_found() -> None:
    assert _unknown(["contract", "nothing"]) == {"nothing"}
    assert _unknown(["check", "a.csv", "--nothing=1", "--json"]) == {"--nothing"}


def _unknown(words: list[str]) -> set[str]:
    """The command or the options in a call of pipectl that do not exist."""
    command: click.Command = pipectl
    rest = list(words)
    while isinstance(command, click.Group) and rest:
        name = rest.pop(0)
        child = command.get_command(click.Context(command), name)
        if child is None:
            return {name}
        command = child
    known = {option for parameter in command.params for option in parameter.opts}
    known |= {option for parameter in command.params for option in parameter.secondary_opts}
    known |= {"-h", "--help"}
    return {word.partition("=")[0] for word in rest if re.match(r"--?[a-z]", word)} - known


def test_pipectl_is_called_in_one_way() -> None:
    odd = [
        (page, line)
        for page, line in LINES
        if re.search(r"(\.venv/bin/|python3? -m )pipectl", line)
    ]
    assert odd == []


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = {
        (page, words[1])
        for page, words in ((page, _words(line)) for page, line in LINES)
        if words[:1] == ["make"] and len(words) > 1 and re.fullmatch(r"[a-z-]+", words[1])
    }
    assert targets
    missing = [
        target for target in targets if not re.search(rf"^{target[1]}:", makefile, re.MULTILINE)
    ]
    assert missing == []


def test_sample_files_exist() -> None:
    named = {
        (page, name)
        for page, line in LINES
        for name in re.findall(r"(?<![\w/])events/[\w.-]*\w", line)
    }
    assert named
    assert [(page, name) for page, name in named if not (ROOT / name).exists()] == []


def test_the_readme_lists_parameters_and_outputs() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    document = template().document
    names = [*document["Parameters"], *document["Outputs"]]
    assert [name for name in names if f"| `{name}` |" not in readme] == []


def test_the_changelog_begins_with_the_projects_version() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    newest = re.search(r"^## (\S+) - \d{4}-\d{2}-\d{2}$", changelog, re.MULTILINE)
    assert newest is not None
    assert newest[1] == project["version"]
