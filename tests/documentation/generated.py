"""The parts of the documentation that are made from the code, and the command that rewrites them.

A marker names what belongs right after it: `<!-- help: run -->` before a fenced block holds what
`pipectl run --help` prints, `<!-- output: pipectl estimate -->` what that command prints, and
`<!-- table: parameters -->` before a table its rows. `make docs` rewrites them in place; a test
fails where one is stale.
"""

from __future__ import annotations

import html
import inspect
import os
import re
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from click.testing import CliRunner

import shared.errors
import tabular.errors
from pipectl.cli import pipectl
from pipectl.embedded.limits import LIMITS, Limit
from pipectl.operate.live_check.registry import CHECKS
from pipectl.scale.deployed import read_deployed
from shared.remedies import REMEDIES, remedy_of
from shared.steps import CHAIN
from tabular import file_names
from tabular.errors import UnsupportedFormat
from tests.documentation.outcome_examples import EXAMPLES, SCHEMA, text_of
from tests.documentation.pages import PAGES
from tests.infrastructure.deployed import ROOT, template
from tests.infrastructure.not_recorded import NOT_RECORDED

# Click leaves two of the usual 80 columns free.
TERMINAL_WIDTH = 78

_PART = re.compile(
    r"(?P<marker><!-- (?P<kind>help|output|table): (?P<what>[^\n]+?) -->\n)"
    r"(?P<body>```\w*\n.*?\n```\n|(?:\|[^\n]*\n)*)",
    re.DOTALL,
)
_REMEDY_WORDS = {
    "redrive": "remove the cause, then redrive",
    "start_over": "redrive once the contract and the settings are right; it starts over",
    "upload": "upload the file again",
}


def regenerated(page: str) -> str:
    """The page with all its generated parts generated again."""
    return _PART.sub(lambda part: part["marker"] + _made(part["kind"], part["what"]), page)


def parts(page: str) -> Iterator[tuple[str, str]]:
    """Each generated part of a page: its kind and what it is of."""
    for part in _PART.finditer(page):
        yield part["kind"], part["what"]


def _made(kind: str, what: str) -> str:
    if kind == "help":
        return f"```text\n{help_of(what)}\n```\n"
    if kind == "output":
        return f"```console\n$ {what}\n{output_of(what)}\n```\n"
    return _table(*TABLES[what]())


def help_of(command: str) -> str:
    """What `pipectl COMMAND --help` prints, such as `contract infer`, on 80 columns."""
    names = pipectl.context_settings["help_option_names"]
    context = click.Context(
        pipectl, info_name="pipectl", help_option_names=names, terminal_width=TERMINAL_WIDTH
    )
    found: click.Command = pipectl
    for name in command.split():
        assert isinstance(found, click.Group)
        child = found.get_command(context, name)
        assert child is not None, f"There is no command {command}."
        found, context = child, click.Context(child, info_name=name, parent=context)
    return found.get_help(context).rstrip()


def output_of(line: str) -> str:
    """What a command that needs no stack prints, run in the project's folder."""
    program, *arguments = shlex.split(line)
    before = Path.cwd()
    os.chdir(ROOT)
    try:
        result = CliRunner().invoke(pipectl, arguments, prog_name=program)
    finally:
        os.chdir(before)
    return result.stdout.rstrip()


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    titles = list(titles)
    lines = [titles, ["---"] * len(titles), *(list(row) for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n".replace("|  |", "| |") for line in lines)


def _text(words: object) -> str:
    """Plain text as Markdown, in which `<dataset>` would be taken for HTML."""
    return html.escape(str(words), quote=False)


Table = tuple[Iterable[str], Iterable[Iterable[str]]]


def _parameters() -> Table:
    return ("parameter", "default", "meaning"), (
        (
            f"`{name}`",
            f"`{parameter['Default']}`" if parameter.get("Default") not in {None, ""} else "",
            _text(parameter["Description"]),
        )
        for name, parameter in template().document["Parameters"].items()
    )


def _outputs() -> Table:
    return ("output", "meaning"), (
        (f"`{name}`", _text(output["Description"]))
        for name, output in template().document["Outputs"].items()
    )


def _errors() -> Table:
    classes = {
        name: kind
        for module in (shared.errors, tabular.errors)
        for name, kind in inspect.getmembers(module, inspect.isclass)
    }
    return ("error", "when", "what to do"), (
        (
            f"[`{name}`](#{name.lower()})",
            _text(" ".join((inspect.getdoc(classes[name]) or "").split("\n\n")[0].split())),
            _REMEDY_WORDS[remedy_of(name)],
        )
        for name in REMEDIES
        if name in classes
    )


def _file_names() -> Table:
    gzip, archive = file_names.GZIP, file_names.ZIP
    delimiters = {None: "detected", "\t": "tab", "|": "bar"}
    return ("name ends with", "delimiter, unless the contract names one", "what it is"), (
        *(
            (f"`{suffix}`, `{suffix}{gzip}`", delimiters[delimiter], "text, as it is or gzip")
            for suffix, delimiter in file_names.DELIMITERS.items()
        ),
        (f"`{archive}`", "as for the file in it", "an archive with one of the text files above"),
    )


def _ignored_names() -> Table:
    return ("ignored", "because"), (
        (
            f"empty objects whose key ends with `/` or `{file_names.FOLDER_MARKER}`",
            "consoles and Hadoop mark folders with them",
        ),
        (
            f"names that begin with {_listed(file_names.HIDDEN)}",
            "markers and hidden files, such as `_SUCCESS` and `.DS_Store`",
        ),
        (
            f"names that end with {_listed(file_names.HALF_WRITTEN)}, in any case",
            "the sender renames the file when it is complete",
        ),
        (
            f"everything below a folder `{file_names.TEMPORARY_FOLDER}/`",
            "Hadoop and Spark write there before they commit",
        ),
        (
            "names that match a pattern in the parameter `IgnoredNames`",
            "you know other names that mean nothing",
        ),
    )


def _refused_names() -> Table:
    return ("name", "message begins with"), (
        (f"`{name}`", _text(_refusal_of(name)))
        for name in ("a.xlsx", "a.parquet", "a.7z", "a.csv.zst", "a.json.gz", "a")
    )


def _refusal_of(name: str) -> str:
    try:
        file_names.check_name(name)
    except UnsupportedFormat as error:
        # Every message ends with the suffixes of the table above.
        return str(error).partition(" Send ")[0]
    raise AssertionError(name)


def _listed(words: Iterable[str]) -> str:
    *most, last = (f"`{word}`" for word in words)
    return f"{', '.join(most)} or {last}"


def _steps() -> Table:
    deployed = read_deployed(ROOT / "template.yaml", {}).functions
    used = {step.state: deployed[_function(step.child or step.state)] for step in CHAIN}
    return ("state", "result", "function", "memory", "timeout"), (
        (
            f"`{step.state}`",
            f"`{step.result}`",
            f"`{_folder(used[step.state].logical_id)}`",
            f"{used[step.state].memory_mb} MB",
            f"{used[step.state].timeout_seconds} s",
        )
        for step in CHAIN
    )


def _function(state: str) -> str:
    """The logical id of the function that a state invokes: two states may share one."""
    name = {"PlanOneSplit": "ParseCsv", "TransformSplit": "Transform"}.get(state, state)
    return f"{name}Function"


def _folder(logical_id: str) -> str:
    """A function's folder, `functions/parse_csv` for `ParseCsvFunction`."""
    words = re.sub(r"(?<=[a-z])([A-Z])", r"_\1", logical_id.removesuffix("Function"))
    return f"functions/{words.lower()}"


def _outcome() -> Table:
    return ("field", "type", "meaning"), (
        (f"`{path}`", kind, schema["description"]) for path, kind, schema in _leaves(SCHEMA, "")
    )


def _leaves(schema: Mapping[str, Any], place: str) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Every field of a JSON Schema, objects before their own fields: path, type and schema."""
    for name, inner in schema.get("properties", {}).items():
        path = f"{place}.{name}" if place else name
        types = inner["type"] if isinstance(inner["type"], list) else [inner["type"]]
        yield path, " or ".join(types), inner
        yield from _leaves(inner, path)
        if "properties" in inner.get("items", {}):
            yield from _leaves(inner["items"], f"{path}[]")


def _alarms() -> Table:
    alarms = template().resources("AWS::CloudWatch::Alarm").values()
    descriptions = [alarm["Properties"]["AlarmDescription"]["Fn::Sub"] for alarm in alarms]
    parts = (text.rpartition(" Runbook: ${RunbookUrl}#") for text in descriptions)
    return ("alarm", "when"), ((f"[{anchor}](#{anchor})", _text(when)) for when, _, anchor in parts)


def _limits() -> Table:
    def amount(limit: Limit) -> str:
        least = f"{limit.least:,} to " if limit.least > 1 else ""
        return f"{least}{limit.most:,} {limit.unit}"

    return ("service", "what", "limit", "beyond it"), (
        (
            limit.service,
            f"[{limit.what}]({limit.source})",
            amount(limit),
            f"`{limit.refusal}`" if " " not in limit.refusal else limit.refusal,
        )
        for limit in LIMITS
    )


def _not_recorded() -> Table:
    """Statements with the same reason in one row."""
    by_reason: dict[str, list[str]] = {}
    for place, reason in NOT_RECORDED.items():
        by_reason.setdefault(reason, []).append(place.replace(" statement ", " "))
    return ("statements, or actions of them", "why"), (
        ("; ".join(f"`{place}`" for place in places), reason)
        for reason, places in by_reason.items()
    )


def _live_checks() -> Table:
    return ("check", "relied on", "documented", "expected"), (
        (
            f"`{check.name}`" + (" (with `--invasive`)" if check.invasive else ""),
            _text(check.relies_on),
            f"[yes]({check.source})" if check.source else "no",
            _text(check.expected),
        )
        for check in CHECKS
    )


TABLES: dict[str, Callable[[], Table]] = {
    "alarms": _alarms,
    "errors": _errors,
    "file-names": _file_names,
    "ignored-names": _ignored_names,
    "limits": _limits,
    "live-checks": _live_checks,
    "refused-names": _refused_names,
    "not-recorded": _not_recorded,
    "outcome": _outcome,
    "outputs": _outputs,
    "parameters": _parameters,
    "steps": _steps,
}


def main() -> None:
    """Rewrite every page whose generated parts are stale, and the example events; name those."""
    for path, status in EXAMPLES.items():
        if not path.exists() or path.read_text(encoding="utf-8") != text_of(status):
            path.write_text(text_of(status), encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    for path in PAGES:
        page = path.read_text(encoding="utf-8")
        if page != (made := regenerated(page)):
            path.write_text(made, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
