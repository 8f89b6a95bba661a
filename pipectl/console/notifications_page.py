"""Notifications: the messages that subscribers got, with the attributes that filters can use."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from pipectl.client.file_results import message_document, message_text
from pipectl.client.metadata_items import MetadataItems
from pipectl.console.pages import PER_PAGE, page, page_number

if TYPE_CHECKING:
    from pipectl.console.state import Console


def show(request: Request) -> Response:
    """The page: messages as they were sent or, on AWS, their ids from the files' items."""
    console: Console = request.app.state.console
    sent = list(reversed(console.notifications()))
    number, pages = page_number(request, len(sent))
    return page(
        request,
        "notifications.html",
        screen="notifications",
        sent=[_message(one) for one in sent[(number - 1) * PER_PAGE : number * PER_PAGE]],
        count=len(sent),
        number=number,
        pages=pages,
        marks=None if console.has_messages else _marks(console),
    )


def _message(sent: Mapping[str, Any]) -> dict[str, Any]:
    document = message_document(sent["message"])
    return {
        "subject": sent["subject"] or "(no subject)",
        "text": message_text(sent["message"]),
        "attributes": sorted(sent["attributes"].items()),
        "outcome": sent["attributes"].get("status") or (document or {}).get("status") or "",
        "file_id": sent["attributes"].get("file_id"),
        "document": json.dumps(document, indent=2, ensure_ascii=False) if document else None,
    }


def _marks(console: Console) -> list[dict[str, Any]]:
    """Which of the newest files' outcomes SNS and EventBridge have accepted."""
    rows = [row for row in console.index.files() if row.file_id][:PER_PAGE]
    items = MetadataItems(console.stack).get([str(row.file_id) for row in rows])
    return [
        {"file_id": row.file_id, "key": row.key, "status": row.status, "marks": item["notified"]}
        for row in rows
        for item in [items.get(str(row.file_id))]
        if item is not None and item.get("notified")
    ]
