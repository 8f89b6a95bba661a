"""A Table Dialect descriptor (v2), or CSV Dialect (v1): from document to `Dialect`, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tabular.contract.problems import REFUSED_REFERENCE, Node, shown
from tabular.model import MAX_FOOTER_ROWS, Dialect

if TYPE_CHECKING:
    from collections.abc import Mapping

_PROPERTIES = (
    "delimiter",
    "lineTerminator",
    "quoteChar",
    "doubleQuote",
    "escapeChar",
    "nullSequence",
    "skipInitialSpace",
    "header",
    "headerRows",
    "headerJoin",
    "commentRows",
    "commentChar",
    "skipBlankRows",
    "footerRows",
    "caseSensitiveHeader",
)
_IGNORED = (
    "csvddfVersion",
    "property",
    "itemType",
    "itemKeys",
    "sheetNumber",
    "sheetName",
    "table",
)
_REFUSED = {**REFUSED_REFERENCE, "encoding": "belongs next to the dialect, not in it"}
_LINE_ENDS = ("\r\n", "\n", "\r")


def read_dialect(node: Node) -> Dialect:
    """Make a dialect from its descriptor; errors are noted in the node's problems.

    Properties that are absent have the standard's defaults.
    """
    node = _with_csv_control(node)
    node.check_names(_PROPERTIES, refused=_REFUSED, ignored=_IGNORED)
    default = Dialect()
    dialect = Dialect(
        delimiter=node.character("delimiter", may_be_empty=False) or default.delimiter,
        quote_char=_read_quote(node),
        double_quote=node.flag("doubleQuote", default.double_quote),
        escape_char=node.character("escapeChar"),
        skip_initial_space=node.flag("skipInitialSpace", default.skip_initial_space),
        header=node.flag("header", default.header),
        header_rows=_read_rows(node, "headerRows") or default.header_rows,
        header_join=_read_join(node),
        comment_rows=_read_rows(node, "commentRows"),
        comment_char=node.text("commentChar", "") or None,
        skip_blank_rows=node.flag("skipBlankRows", default.skip_blank_rows),
        footer_rows=_read_footer(node),
        case_sensitive_header=node.flag("caseSensitiveHeader", default.case_sensitive_header),
    )
    _check(node, dialect)
    return dialect


def null_sequence(node: Node) -> tuple[str, ...]:
    """Read the dialect's `nullSequence`, which is one more missing value of every field."""
    text = _with_csv_control(node).text("nullSequence", "")
    return (text,) if text else ()


def dialect_document(dialect: Dialect) -> dict[str, Any]:
    """Write a dialect as its descriptor, from which `read_dialect` makes the same dialect."""
    document: dict[str, Any] = {
        "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char or "",
        "doubleQuote": dialect.double_quote,
        "escapeChar": dialect.escape_char,
        "skipInitialSpace": dialect.skip_initial_space,
        "header": dialect.header,
        "headerRows": list(dialect.header_rows),
        "headerJoin": dialect.header_join,
        "commentRows": list(dialect.comment_rows) or None,
        "commentChar": dialect.comment_char,
        "skipBlankRows": dialect.skip_blank_rows,
        "footerRows": dialect.footer_rows or None,
        "caseSensitiveHeader": dialect.case_sensitive_header,
    }
    return {name: value for name, value in document.items() if value is not None}


def short_document(dialect: Dialect) -> dict[str, Any]:
    """Write a dialect's delimiter, and all properties that differ from the standard's default."""
    usual = dialect_document(Dialect())
    document = dialect_document(dialect)
    return {
        name: value
        for name, value in document.items()
        if name == "delimiter" or value != usual.get(name)
    }


def _with_csv_control(node: Node) -> Node:
    """Lift what frictionless-py nests: {"csv": {"delimiter": ";"}} is {"delimiter": ";"}."""
    control = node.properties.get("csv")
    if not isinstance(control, dict):
        return node
    outer: Mapping[str, Any] = {k: v for k, v in node.properties.items() if k != "csv"}
    return Node({**outer, **control}, node.path, node.problems)


def _read_quote(node: Node) -> str | None:
    """Read `quoteChar`: absent is the double quote, null and empty are no quoting at all."""
    if "quoteChar" not in node.properties:
        return Dialect().quote_char
    return node.character("quoteChar")


def _read_join(node: Node) -> str:
    join = node.properties.get("headerJoin")
    if join == "":
        return ""
    return node.text("headerJoin", Dialect().header_join)


def _read_rows(node: Node, name: str) -> tuple[int, ...]:
    rows = node.properties.get(name)
    if rows is None:
        return ()
    if (
        not isinstance(rows, list)
        or not all(type(row) is int and row > 0 for row in rows)
        or sorted(set(rows)) != rows
    ):
        node.wrong(name, f"expected ascending row numbers from 1, found {shown(rows)}")
        return ()
    return tuple(rows)


def _read_footer(node: Node) -> int:
    """Read `footerRows`, which the standard does not have."""
    rows = node.properties.get("footerRows", 0)
    if type(rows) is not int or not 0 <= rows <= MAX_FOOTER_ROWS:
        node.wrong("footerRows", f"expected 0 to {MAX_FOOTER_ROWS} rows, found {shown(rows)}")
        return 0
    return rows


def _check(node: Node, dialect: Dialect) -> None:
    line_end = node.properties.get("lineTerminator")
    if line_end is not None and line_end not in _LINE_ENDS:
        node.wrong(
            "lineTerminator",
            f"expected CRLF, LF or CR, all of which are recognised anyway, found {shown(line_end)}",
        )
    roles = {
        "delimiter": dialect.delimiter,
        "quoteChar": dialect.quote_char,
        "escapeChar": dialect.escape_char,
    }
    for name, character in roles.items():
        if character in ("\r", "\n", "\0"):
            node.wrong(name, "expected a character that is not a line end or NUL")
    for name in ("quoteChar", "escapeChar"):
        if not (roles[name] or "").isascii():
            node.wrong(
                name,
                f"expected an ASCII character, such as '\"' or '\\\\', found {shown(roles[name])}",
            )
        if roles[name] == dialect.delimiter:
            node.wrong(name, "expected another character than the delimiter")
    for name, character in roles.items():
        if dialect.skip_initial_space and character == " ":
            node.wrong("skipInitialSpace", f"can't be true if the {name} is a space")
    if dialect.header and set(dialect.header_rows) & set(dialect.comment_rows):
        node.wrong("commentRows", "expected rows that are not among headerRows")
