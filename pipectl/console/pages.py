"""Renders the templates. Text from strangers is always text, and all of it is visible."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse

from pipectl.console.figures import size_text
from pipectl.tables import number
from pipectl.times import format_age, format_duration, format_time
from pipectl.views.status import status_of
from shared.markup import Html, code, data
from shared.text import printable, visible_json


def _finalize(value: object) -> object:
    """A value that a template prints: our own HTML unchanged, everything else as visible text."""
    if value is None:
        return ""
    if isinstance(value, Html):
        return Markup(value)  # noqa: S704  # only shared.markup makes Html
    if isinstance(value, Markup):
        return value
    return printable(value) if isinstance(value, str) else value


def _text(value: object, most: int = 200) -> Markup:
    """A name that someone chose, isolated, with its invisible characters marked."""
    return Markup(data(value, most))  # noqa: S704  # `data` has escaped it


def _lines(value: str) -> Markup:
    """A JSON text of several lines, for `pre` and `textarea`."""
    return Markup.escape(visible_json(value))


def _when(value: datetime | str) -> Markup:
    """A time as its age, with the time itself behind it."""
    time = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    now = datetime.now(UTC)
    recent = (now - time).total_seconds() < 60
    return Markup('<time datetime="{}" title="{} UTC">{}</time>').format(
        time.isoformat(),
        format_time(time),
        "just now" if recent else f"{format_age(time, now)} ago",
    )


def _query(values: Mapping[str, Any], **changes: Any) -> str:
    """The address of the same list with some settings changed; empty ones are left out."""
    merged = {**values, **changes}
    return "?" + urlencode({name: value for name, value in merged.items() if value})


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("pipectl.console"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_finalize,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "text": _text,
        "lines": _lines,
        "when": _when,
        "number": number,
        "size": size_text,
        "duration": format_duration,
        "utc": format_time,
        "status": status_of,
        "query": _query,
        "code": lambda text: Markup(code(text)),  # noqa: S704  # `code` escapes
        "trusted": Markup,  # style that execution_page wrote
        "part": lambda text: quote(str(text), safe=""),
    }
    return environment


_ENVIRONMENT = _environment()


PER_PAGE = 50
"""Entries on one page of a list."""


def page_number(request: Request, count: int) -> tuple[int, int]:
    """The page of a list that the address names, and the number of pages; both from 1."""
    pages = max(1, -(-count // PER_PAGE))
    return max(1, min(small_number(request.query_params.get("page"), 1), pages)), pages


def small_number(given: object, default: int) -> int:
    """A number of at most six digits from an address or a form; the default for anything else."""
    text = str(given)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else default


def page(request: Request, template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """The page of a template."""
    console = request.app.state.console
    text = _ENVIRONMENT.get_template(template).render(
        console=console,
        writes=console.allow_writes,
        form_token=request.state.form_token,
        nonce=request.state.nonce,
        here=request.url.path + (f"?{request.url.query}" if request.url.query else ""),
        **values,
    )
    return HTMLResponse(text, status)
