"""The columns of a file, and where it and its report come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_report.budget import within
from data_report.formatting import count, counted, moment, size
from data_report.frame import facts
from shared.markup import Html, data, el, join

_COLUMNS_BYTES = 60_000

_KINDS = (
    ("dropped", "Dropped", "In the header, but not in the contract; not in the output."),
    ("missing", "Missing", "In the contract, but not in the header."),
    ("kept", "Kept", "In the header, but not in the contract; in the output as text."),
    ("matched", "Matched", "In the header and in the contract."),
)
_EXTRA = "In the header, but not in the contract."
_UNPUBLISHED = (("dropped", "Extra", _EXTRA), _KINDS[1], ("kept", "Extra", _EXTRA), _KINDS[3])

Summary = Mapping[str, Any]


def columns(columns: Mapping[str, Sequence[str]], *, published: bool = True) -> Html:
    """The columns by what became of them, as `tabular.reading.header.compare_columns` has them.

    Of a file that was not published, those that are only in the header have no fate.
    """
    kinds = _KINDS if published else _UNPUBLISHED
    different = sum(len(columns[kind]) for kind, _, _ in kinds[:3])
    header = sum(len(columns[kind]) for kind in ("matched", "dropped", "kept"))
    sentence = (
        f"The header has {counted(header, 'column')}: "
        + (
            "exactly those of the contract."
            if not different
            else f"{counted(different, 'difference')} from the contract."
        )
        if header or different
        else "The file has no columns."
    )
    parts: list[Html] = [el("p", sentence)]
    for kind, title, meaning in kinds:
        names = columns[kind]
        if not names:
            continue
        heading = el("h3", f"{title}: {count(len(names))} ", el("small", meaning, class_="soft"))
        shown, more = within(_COLUMNS_BYTES // len(kinds), (el("li", data(n)) for n in names))
        rest = f"and {counted(len(names) - len(shown), 'more column')}" if more else None
        parts += [heading, el("ul", *shown, el("li", rest) if rest else None, class_="chips")]
    return join(parts)


def provenance(summary: Summary) -> Html:
    """The file, how it was read, and by which execution and engine, as far as they are known."""
    file = summary["file"]
    source = file["source"]
    return facts(
        ("File ID", el("code", data(file["file_id"]))),
        ("Object version", data(source["version_id"] or "none: the bucket has no versions")),
        ("ETag", el("code", data(source["etag"]))),
        ("Size", f"{size(source['size'])} ({counted(source['size'], 'byte')})"),
        *(_reading(file) if "dialect" in file else ()),
        ("Attempt", count(file["attempt"])),
        ("Execution", data(summary["execution"]["arn"], 300)),
        ("Uploaded", moment(source["event_time"])),
        ("Started", moment(summary["generated_at"])),
        *(_engine(summary["engine"]) if "engine" in summary else ()),
    )


def _reading(file: Mapping[str, Any]) -> Iterator[tuple[str, str | Html]]:
    """How the file was read."""
    dialect = file["dialect"]
    encoding = file["encoding"] + (" with a byte order mark" if file["byte_order_mark"] else "")
    header = "with a header" if dialect["header"] else "without a header"
    yield "Encoding", join([data(encoding), ", gzip" if file["compression"] else None])
    quote = el("code", data(dialect["quote_char"])) if dialect["quote_char"] else "none"
    delimiter = el("code", data(dialect["delimiter"]))
    yield "Dialect", join(["delimiter ", delimiter, ", quote ", quote, f", {header}"])
    if dialect["footer_rows"]:
        yield "Footer", f"{counted(dialect['footer_rows'], 'row')} left out"
    if "splits" in file:
        yield "Splits", count(file["splits"])


def _engine(engine: Mapping[str, str]) -> Iterator[tuple[str, str | Html]]:
    code = el("code", data(str(engine["code"])[:12]))
    versions = f", Polars {engine['polars']}, Python {engine['python']}, {engine['processor']}"
    yield "Engine", join([code, versions])
