"""A patch that answers GetExecutionHistory in pages and in the order asked for; moto ignores both.

https://docs.aws.amazon.com/step-functions/latest/apireference/API_GetExecutionHistory.html
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from typing import Any

from moto.core.responses import ActionContext, ActionResult
from moto.stepfunctions.exceptions import InvalidToken
from moto.stepfunctions.parser.api import GetExecutionHistoryOutput
from moto.stepfunctions.responses import StepFunctionResponse

from pipectl.embedded import limits
from pipectl.embedded.moto_patches.table import PatchSettings, replaces

DEFAULT_EVENTS = 100


@replaces(StepFunctionResponse, "get_execution_history", "c841e82c9f20")
def _in_pages(original: Callable[[Any], Any], _settings: PatchSettings) -> Any:
    def respond(response: Any) -> ActionResult:
        events = original(response).result["events"]
        most = int(response._get_param("maxResults") or DEFAULT_EVENTS)
        page, token = page_of(
            events,
            min(most, limits.HISTORY_PAGE.most),
            backwards=response._get_param("reverseOrder") is True,
            token=response._get_param("nextToken"),
        )
        answer = GetExecutionHistoryOutput(events=page)
        if token is not None:
            answer["nextToken"] = token
        return _Page(answer)

    return respond


class _Page(ActionResult):
    """A page whose members already have their names and types of the API.

    moto looks for each of the 60 possible members of every event.
    """

    def execute_result(self, _context: ActionContext) -> Any:
        """Status, headers and body."""
        page: Any = self.result
        events = [{**event, "timestamp": _seconds(event["timestamp"])} for event in page["events"]]
        body = json.dumps({**page, "events": events}, separators=(",", ":"))
        return 200, {"Content-Type": "application/x-amz-json-1.0"}, body


def _seconds(timestamp: str) -> float:
    """A time as AWS's JSON has it: seconds since 1970."""
    return datetime.fromisoformat(timestamp).timestamp()


def page_of(
    events: list[Any], most: int, *, backwards: bool, token: str | None
) -> tuple[list[Any], str | None]:
    """A page of events, and the token of the next one, or None.

    The token is a place in the history, which only grows at its end.
    """
    if token is not None and not token.isdecimal():
        raise InvalidToken
    if backwards:
        end = len(events) if token is None else int(token)
        start = max(0, end - most)
        return events[start:end][::-1], str(start) if start else None
    start = int(token or 0)
    end = start + most
    return events[start:end], str(end) if end < len(events) else None
