"""The content of the pages, and the effect of their forms."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from unittest.mock import patch
from urllib.parse import quote

import httpx2
import pytest
from jinja2 import Template
from starlette.testclient import TestClient

from pipectl.console import correct_page, files_page, pages
from pipectl.console.jobs import RerunJob
from pipectl.operate.correct_rows import CorrectedRow, FileCorrection
from pipectl.operate.rerun_plan import FileRerun
from pipectl.times import parse_since
from tabular.faults import Fault
from tests.unit.pipectl_console.world import (
    ARN,
    MARKUP,
    SOURCE,
    ConsoleWorld,
    browser,
    console,
)

AWS = "https://us-east-1.console.aws.amazon.com/"
PAGES = (
    "/",
    f"/?status=failed&q=march&dataset={MARKUP}&since={MARKUP}",
    "/failures",
    f"/failures?error={MARKUP}",
    "/failures/plan",
    "/datasets",
    f"/datasets/{SOURCE.dataset.split('?')[0].split('#')[0].replace('%', '')[:6]}",
    "/notifications",
    f"/files/{SOURCE.file_id}",
    f"/files/{SOURCE.file_id}?view=timeline",
    f"/files/{SOURCE.file_id}?view=events",
)


class Elements(HTMLParser):
    """The elements and attributes of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.shown = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.shown += data

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.found if name == tag]


@pytest.mark.parametrize("path", PAGES)
def test_text_from_strangers_is_never_markup(path: str, world: ConsoleWorld) -> None:
    answer = browser(console()).get(path)
    assert answer.status_code == 200, answer.text
    assert_harmless(answer)


def assert_harmless(answer: httpx2.Response) -> None:
    """Nothing in a page runs, is loaded from elsewhere, or acts on its text, but our own."""
    page = Elements(answer.text)
    assert [one.get("src") for one in page.named("script")] == [
        "/static/htmx.min.js",
        "/static/htmx-sse.min.js",
        "/static/console.js",
    ]
    assert page.named("img") == []
    for _, attributes in page.found:
        # No handler, no style, and no address that leaves this console but those of AWS.
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("href", "action", "formaction", "hx-get"):
            address = attributes.get(name) or "/"
            assert address.startswith(("/", "#", "?", "data:,", AWS)), address
            assert not address.startswith("//")
    # Nothing acts on the page's text either: overrides of direction, and characters without width.
    assert not re.search("[\u202e\u2066\u200b\x1b\x07]", answer.text)
    assert len(answer.content) < 200 * 1024


EVIL = f"{MARKUP}\u202e\u200b"


def checked_file(client: TestClient) -> httpx2.Response:
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    content = f"{EVIL};a\n{EVIL};1\n".encode()
    return client.post("/check", data=form, files=[("files", (f"{EVIL}.csv", content))])


def checked_contract(client: TestClient) -> httpx2.Response:
    contract = {"fields": [{"name": EVIL, "type": EVIL, "title": EVIL}], EVIL: EVIL}
    return submit(client, "/datasets/orders/check", {"contract": json.dumps(contract)})


def inferred_contract(client: TestClient) -> httpx2.Response:
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    content = f'"{EVIL}",a\n1,2\n'.replace("\"'", "'").encode()
    return client.post(
        "/datasets/orders/infer", data=form, files=[("files", (f"{EVIL}.csv", content))]
    )


def checked_correction(client: TestClient) -> httpx2.Response:
    fault = Fault(EVIL, "type-error", EVIL, EVIL, EVIL)
    rows = [CorrectedRow(2, ((EVIL, EVIL, EVIL),), (fault,))]
    correction = FileCorrection({"file_id": SOURCE.file_id}, b"", rows)
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    with patch.object(correct_page, "check_corrections", return_value=correction):
        return client.post(
            f"/files/{SOURCE.file_id}/corrections",
            data=form,
            files=[("files", (f"{EVIL}.csv", b"x"))],
        )


def job_of(**values: Any) -> Callable[[TestClient], httpx2.Response]:
    def show(client: TestClient) -> httpx2.Response:
        shown = client.app._application.state.console  # type: ignore[attr-defined]
        shown.jobs._jobs["1"] = RerunJob("1", EVIL, datetime.now(UTC), **values)
        return client.get("/jobs/1")

    return show


SOMETHING = FileRerun(SOURCE.file_id, f"s3://in/raw/{EVIL}", "redrive", EVIL, status="failed")

# Templates whose pages are not among `PAGES`, and how they are shown.
OTHERS: dict[str, tuple[Callable[[TestClient], httpx2.Response], ...]] = {
    "check.html": (checked_file,),
    "contract.html": (checked_contract, inferred_contract),
    "correct.html": (checked_correction,),
    "job.html": (job_of(started=[SOMETHING]), job_of(problem=EVIL)),
    "message.html": (lambda client: client.get(f"/files/{quote(EVIL, safe='')}"),),
}


@pytest.mark.parametrize("show", [show for ways in OTHERS.values() for show in ways])
def test_text_from_strangers_is_never_markup_after_a_form(
    show: Callable[[TestClient], httpx2.Response], world: ConsoleWorld
) -> None:
    answer = show(browser(console()))
    assert "alert(1)" in Elements(answer.text).shown
    assert_harmless(answer)


def test_every_template_is_shown_with_text_from_strangers(world: ConsoleWorld) -> None:
    client = browser(console())
    shown: set[str] = set()
    load = pages._ENVIRONMENT.get_template

    def recorded(name: str, *others: Any) -> Template:
        shown.add(name)
        return load(name, *others)

    with patch.object(pages._ENVIRONMENT, "get_template", recorded):
        for path in PAGES:
            client.get(path)
    parts = {"base.html", "_macros.html", "_reruns.html"}
    assert shown | set(OTHERS) | parts == set(pages._ENVIRONMENT.list_templates())


def test_files_are_counted_filtered_and_named(world: ConsoleWorld) -> None:
    client = browser(console())
    page = Elements(client.get("/").text)
    assert "march" in page.shown
    assert "2Failed" in page.shown.replace("\n", "")
    assert "No file matches" in client.get("/?status=clean").text
    assert "No file matches" in client.get("/?q=no-such-file").text
    assert "neither a time" in client.get("/?since=yesterday").text


def test_the_time_of_the_filter_is_read_once_however_many_files_there_are(
    world: ConsoleWorld,
) -> None:
    client = browser(console())
    with patch.object(files_page, "parse_since", wraps=parse_since) as read:
        assert "2Failed" in Elements(client.get("/?since=9999d").text).shown.replace("\n", "")
    assert read.call_count == 1


def test_a_failed_file_opens_at_its_error_with_possible_actions(world: ConsoleWorld) -> None:
    page = Elements(browser(console()).get(f"/files/{SOURCE.file_id}").text)
    assert f"pipectl rerun {SOURCE.file_id}" in page.shown
    assert f"pipectl rerun {SOURCE.file_id} --new" in page.shown
    assert {"redrive", "attempt"} <= {one.get("value") for one in page.named("input")}


def test_an_unknown_file_is_an_error_in_one_sentence(world: ConsoleWorld) -> None:
    client = browser(console())
    for name in ("no/such", "%3Cb%3E", "0" * 32):
        answer = client.get(f"/files/{name}")
        assert answer.status_code == 404
        assert "<b>" not in answer.text.split("<main", 1)[1].split("</main>")[0]


def test_an_unexpected_error_is_a_page_that_says_where_to_look(world: ConsoleWorld) -> None:
    # The document of the rejected rows is not JSON.
    answer = browser(console(), raises=False).get(f"/files/{SOURCE.file_id}/rejects.csv")
    assert answer.status_code == 500
    shown = Elements(answer.text).shown
    assert "JSONDecodeError: see the terminal in which the console runs." in shown
    assert "default-src 'none'" in answer.headers["content-security-policy"]


def test_groups_name_the_command_that_reruns_them(world: ConsoleWorld) -> None:
    shown = Elements(browser(console()).get("/failures").text).shown
    assert "pipectl rerun --all --error " in shown
    assert " --dataset " in shown


def test_a_plan_starts_nothing(world: ConsoleWorld) -> None:
    answer = browser(console()).get("/failures/plan")
    assert "Nothing has been started" in answer.text
    assert world.redriven == 0


def test_a_file_is_redriven_by_its_button(world: ConsoleWorld) -> None:
    answer = submit(browser(console()), f"/files/{SOURCE.file_id}/rerun", {"how": "redrive"})
    assert answer.status_code == 303
    assert [one["executionArn"] for one in world.called("RedriveExecution")] == [ARN]


def test_a_message_is_replayed_and_then_deleted(world: ConsoleWorld) -> None:
    answer = submit(browser(console()), "/failures/replay", {"message_id": "known"})
    assert answer.status_code == 303
    sent = [entry for one in world.called("SendMessageBatch") for entry in one["Entries"]]
    assert [json.loads(entry["MessageBody"])["file_id"] for entry in sent] == [SOURCE.file_id]
    assert list(world.bodies) == ["unknown"]


def test_a_message_that_cannot_be_read_is_not_replayed(world: ConsoleWorld) -> None:
    answer = submit(browser(console()), "/failures/replay", {"message_id": "unknown"})
    assert answer.status_code == 400
    assert "so it can't be replayed" in Elements(answer.text).shown
    assert world.called("SendMessageBatch") == []
    assert list(world.bodies) == ["known", "unknown"]


def test_a_discarded_message_is_recorded_with_its_reason(world: ConsoleWorld) -> None:
    client = browser(console())
    for reason in ("", "  ", "x" * 501):
        form = {"message_id": "unknown", "reason": reason}
        assert submit(client, "/failures/discard", form).status_code == 400
    assert world.objects == {}
    form = {"message_id": "unknown", "reason": "sent by mistake"}
    assert submit(client, "/failures/discard", form).status_code == 303
    ((key, content),) = world.objects.items()
    assert re.fullmatch(r"dead-letters/\d{4}-\d\d-\d\d/unknown\.json", key)
    record = json.loads(content)
    assert (record["reason"], record["body"]) == ("sent by mistake", f"no job {MARKUP}")
    assert list(world.bodies) == ["known"]


CONTRACT = {"fields": [{"name": "a", "type": "integer"}]}
OTHER = {"fields": [{"name": "a", "type": "string"}]}


def test_a_contract_is_pushed_only_after_its_changes_were_shown(world: ConsoleWorld) -> None:
    client = browser(console())
    world.objects["contracts/orders.json"] = json.dumps(OTHER).encode()
    path = "/datasets/orders"
    shown = submit(client, f"{path}/check", {"contract": json.dumps(CONTRACT)})
    assert "1 change, 1 of them breaking" in shown.text
    form = {**hidden(shown.text), "contract": json.dumps(CONTRACT)}
    # Edited in between: its changes are shown instead.
    edited = submit(client, f"{path}/push", {**form, "contract": json.dumps(OTHER)})
    assert "No changes" in edited.text
    assert world.called("PutObject") == []
    assert submit(client, f"{path}/push", form).status_code == 303
    assert json.loads(world.objects["contracts/orders.json"]) == CONTRACT
    # The answer to a contract that has changed since is refused.
    assert submit(client, f"{path}/push", form).status_code == 400


def test_an_invalid_contract_is_never_pushed(world: ConsoleWorld) -> None:
    client = browser(console())
    text = json.dumps({"fields": [{"name": MARKUP, "type": MARKUP}]})
    shown = submit(client, "/datasets/orders/check", {"contract": text})
    assert "The contract is not valid" in shown.text
    answer = submit(client, "/datasets/orders/push", {**hidden(shown.text), "contract": text})
    assert answer.status_code == 400
    assert world.called("PutObject") == []


def test_files_are_checked_before_they_are_sent(world: ConsoleWorld) -> None:
    client = browser(console())
    world.objects["contracts/orders.json"] = json.dumps(CONTRACT).encode()
    files = [("files", ("a.csv", b"a\n1\nx\n", "text/csv"))]
    form = {"form_token": client.app.form_token, "new_dataset": "orders"}  # type: ignore[attr-defined]
    shown = client.post("/check", data=form, files=files)
    assert "nothing sent yet" in shown.text
    assert "would be rejected" in shown.text
    assert world.called("PutObject") == []
    (staged,) = re.findall(r'name="file" value="(\w+)"', shown.text)
    answer = submit(client, "/upload", {"file": staged})
    assert answer.headers["location"] == "/?dataset=orders"
    assert world.objects["raw/orders/a.csv"] == b"a\n1\nx\n"
    assert submit(client, "/upload", {"file": staged}).status_code == 400


@pytest.mark.parametrize("name", ["..", ".", "a/..", "x" * 300])
def test_a_name_that_leaves_the_folder_is_refused(name: str, world: ConsoleWorld) -> None:
    client = browser(console())
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    answer = client.post("/check", data=form, files=[("files", (name, b"a\n1\n"))])
    assert answer.status_code == 400


def submit(client: TestClient, path: str, form: Mapping[str, Any]) -> httpx2.Response:
    """Send a form as the page has it."""
    token = client.app.form_token  # type: ignore[attr-defined]
    return client.post(path, data={"form_token": token, **form})


def hidden(text: str) -> dict[str, str]:
    """The hidden fields of a page."""
    return {
        str(one["name"]): str(one["value"])
        for one in Elements(text).named("input")
        if one.get("type") == "hidden"
    }


def test_a_dataset_shows_the_nulls_of_its_last_files(world: ConsoleWorld) -> None:
    files = [{"null_rates": {"note": rate, "id": 0.0}} for rate in (60.0, 62.5, 70.0)]
    world.objects["reports/orders/history.json"] = json.dumps({"files": files}).encode()
    page = Elements(browser(console()).get("/datasets/orders").text)
    assert "of the last 3 files with a report. 1 more field has never had a null." in page.shown
    assert "note70%62.5%60% \u2013 70%Shares of nulls in the last 3 files" in page.shown


def test_the_report_of_a_failed_file_is_made_when_it_is_opened(world: ConsoleWorld) -> None:
    answer = browser(console()).get(f"/files/{SOURCE.file_id}/report")
    assert answer.headers["Content-Security-Policy"].startswith("sandbox;")
    page = Elements(answer.text)
    assert "Failed, nothing published" in page.shown
    assert page.named("script") == page.named("img") == []
