"""The console in front of a real stack: upload, watch, fail, correct the contract, rerun."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator

import pytest
from starlette.testclient import TestClient

from pipectl.client.controls import Controls
from pipectl.client.stack_choice import Stack
from pipectl.console.app import create_app
from pipectl.console.commands import Commands
from pipectl.console.state import Console
from pipectl.embedded.process import StackProcess

TOKEN = "token"
DATASET = "console-orders"
PATIENCE = 60


@pytest.fixture
def console(embedded: StackProcess) -> Iterator[Console]:
    controls = Controls(str(embedded.deployment.endpoint), embedded.token)
    console = Console(
        Stack(embedded.deployment, controls=controls),
        allow_writes=True,
        commands=Commands(),
        changes=controls,
        messages=controls.notifications,
        patience=PATIENCE,
    )
    yield console
    console.close()


@pytest.fixture
def client(console: Console) -> TestClient:
    client = TestClient(
        create_app(console, TOKEN), base_url="http://127.0.0.1", follow_redirects=False
    )
    client.get(f"/?token={TOKEN}")
    return client


def contract(kind: str) -> str:
    fields = [{"name": "id", "type": kind}]
    return json.dumps({"schema": {"fields": fields}, "pipeline": {"maxRejectPercent": 0}})


def push(client: TestClient, kind: str) -> None:
    path, token = f"/datasets/{DATASET}", client.app.form_token  # type: ignore[attr-defined]
    form = {"form_token": token, "contract": contract(kind)}
    shown = client.post(f"{path}/check", data=form).text
    hidden = dict(re.findall(r'type="hidden" name="(replaces|checked)" value="(\w+)"', shown))
    assert client.post(f"{path}/push", data=form | hidden).status_code == 303


def wait_for(client: TestClient, console: Console, status: str) -> str:
    """The page of the dataset's only file, once it is in this state."""
    address, deadline = f"/?dataset={DATASET}&status={status}", time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        console.index.outdate()
        found = re.search(r'class="go" href="(/files/\w+)"', client.get(address).text)
        if found:
            return found[1]
        time.sleep(0.2)
    raise TimeoutError(status)


def test_a_file_is_sent_fails_and_is_rerun_in_the_browser(
    client: TestClient, console: Console
) -> None:
    token = client.app.form_token  # type: ignore[attr-defined]
    push(client, "integer")
    files = [("files", ("week.csv", b"id\n1\nx\n", "text/csv"))]
    form = {"form_token": token, "dataset": DATASET}
    checked = client.post("/check", data=form, files=files).text
    assert "would fail" in checked or "would be rejected" in checked
    (staged,) = re.findall(r'name="file" value="(\w+)"', checked)
    sent = client.post("/upload", data={"form_token": token, "file": staged})
    assert sent.headers["location"] == f"/?dataset={DATASET}"

    path = wait_for(client, console, "failed")
    page = client.get(path).text
    assert "TooManyRejects" in page
    assert ">Redrive</button>" in page
    # The spreadsheet has the row that was rejected.
    assert b"x" in client.get(f"{path}/rejects.csv").content
    assert f"TooManyRejects in <bdi>{DATASET}</bdi>" in re.sub(
        r"</?a[^>]*>|<bdi>(?=TooMany)|(?<=Rejects)</bdi>", "", client.get("/failures").text
    )

    push(client, "string")
    again = client.post(f"{path}/rerun", data={"form_token": token, "how": "attempt", "force": ""})
    assert again.headers["location"] == path
    path = wait_for(client, console, "clean")
    page = client.get(path).text
    assert "2 of 2 records were published." in page
    assert "Attempt 2" in page
    assert "week.csv processed" in page
    assert client.get(f"{path}/outputs/report").text.startswith("<!doctype html>")
    assert b'"x"' in client.get(f"{path}/outputs/processed").content
