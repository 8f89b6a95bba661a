"""Only the person who started the console can use it, and only from its own pages."""

from __future__ import annotations

import re

import pytest

from pipectl.console.app import ROUTES
from tests.unit.pipectl_console.world import SOURCE, TOKEN, ConsoleWorld, browser, console

# Values for the parameters of addresses. A route with another parameter makes the test fail.
PLACES = {"target": SOURCE.file_id, "dataset": "orders", "output": "report", "job": "0" * 16}


def addresses(method: str) -> list[str]:
    """The addresses of all routes that answer a method, but the public ones."""
    return [
        re.sub(r"\{(\w+)\}", lambda found: PLACES[found[1]], route.path)
        for route in ROUTES
        if method in (route.methods or ()) and not route.path.startswith("/static/")
    ]


PAGES = addresses("GET")
FORMS = addresses("POST")
NOT_HTML = ("/live", f"/files/{SOURCE.file_id}/rejects.csv")
# What changes something in a stack, as AWS names it.
WRITES = (
    *("RedriveExecution", "StartExecution", "SendMessage", "SendMessageBatch"),
    *("DeleteMessageBatch", "PutObject", "DeleteObject", "UpdateItem", "PutItem"),
)


def test_every_route_is_either_a_page_or_a_form() -> None:
    public = {"/static/console.css", "/static/{name}"}
    assert {route.path for route in ROUTES if route.path.startswith("/static/")} == public
    methods = [route.methods for route in ROUTES]
    assert [one for one in methods if one not in ({"GET", "HEAD"}, {"POST"})] == []
    assert len(PAGES) + len(FORMS) + len(public) == len(ROUTES)
    assert FORMS


@pytest.mark.parametrize("path", PAGES)
def test_a_page_changes_nothing(path: str, world: ConsoleWorld) -> None:
    if path != "/live":  # it has no end
        browser(console(), raises=False).get(path)
    assert [name for name, _ in world.calls if name in WRITES] == []


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT"])
@pytest.mark.parametrize("path", FORMS)
def test_a_form_is_sent_by_post_only(path: str, method: str, world: ConsoleWorld) -> None:
    client = browser(console())
    world.calls.clear()
    assert client.request(method, path).status_code in (404, 405)
    assert [name for name, _ in world.calls if name in WRITES] == []


@pytest.mark.parametrize("path", ["/", "/live"])
def test_websockets_are_not_served(path: str, world: ConsoleWorld) -> None:
    client = browser(console())
    with pytest.raises(NotImplementedError), client.websocket_connect(path):
        pass


@pytest.mark.parametrize("path", PAGES)
def test_without_the_token_there_is_no_page(path: str, world: ConsoleWorld) -> None:
    client = browser(console(), signed_in=False)
    world.calls.clear()
    for given in ("", "?token=", "?token=another"):
        answer = client.get(path + given)
        assert answer.status_code == 403
        assert "token" in answer.text
    assert world.calls == []


def test_the_printed_address_gives_a_cookie_and_leads_to_the_page_without_the_token(
    world: ConsoleWorld,
) -> None:
    client = browser(console(), signed_in=False)
    answer = client.get(f"/failures?error=A%22%3E&token={TOKEN}")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert TOKEN not in cookie
    assert 'content="0;url=/failures?error=A%22%3E"' in answer.text
    assert TOKEN not in answer.text
    assert client.get("/").status_code == 200
    # Another host's address is not ours, in any notation.
    other = client.get(f"http://127.0.0.1:4561//evil.example?token={TOKEN}")
    assert "url=/evil.example" in other.text


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "x:4561"])
def test_a_host_name_that_was_pointed_at_this_machine_is_refused(
    host: str, world: ConsoleWorld
) -> None:
    client = browser(console())
    world.calls.clear()
    for path in (*PAGES, f"/?token={TOKEN}", "/static/console.css"):
        assert client.get(path, headers={"Host": host}).status_code == 403
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    for path in FORMS:
        assert client.post(path, data=form, headers={"Host": host}).status_code == 403
    assert world.calls == []


@pytest.mark.parametrize("host", ["127.0.0.1:9", "localhost:4561", "[::1]:4561"])
def test_a_forwarded_port_works(host: str, world: ConsoleWorld) -> None:
    answer = browser(console()).get(
        "/static/console.js", headers={"Host": host, "Origin": f"http://{host}"}
    )
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:9999"},
        {"Origin": "https://127.0.0.1:4561"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_other_origins_are_refused(headers: dict[str, str], world: ConsoleWorld) -> None:
    client = browser(console())
    world.calls.clear()
    for path in (*PAGES, "/static/console.css"):
        assert client.get(path, headers=headers).status_code == 403
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    for path in FORMS:
        assert client.post(path, data=form, headers=headers).status_code == 403
    assert world.calls == []


def test_a_link_with_the_token_in_another_page_works_once(world: ConsoleWorld) -> None:
    headers = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}
    client = browser(console(), signed_in=False)
    assert client.get(f"/?token={TOKEN}", headers=headers).status_code == 200
    assert client.get("/", headers=headers).status_code == 403


@pytest.mark.parametrize("path", FORMS)
def test_without_the_cookie_no_form_is_read(path: str, world: ConsoleWorld) -> None:
    client = browser(console(), signed_in=False)
    form = {"form_token": client.app.form_token}  # type: ignore[attr-defined]
    assert client.post(path, data=form).status_code == 403
    assert world.calls == []


@pytest.mark.parametrize("path", FORMS)
def test_a_form_from_elsewhere_changes_nothing(path: str, world: ConsoleWorld) -> None:
    client = browser(console())
    for form in ({}, {"form_token": ""}, {"form_token": TOKEN}):
        assert client.post(path, data=form).status_code == 403
    assert [name for name, _ in world.calls if name in WRITES] == []


@pytest.mark.parametrize("path", FORMS)
def test_a_read_only_console_refuses_every_change(path: str, world: ConsoleWorld) -> None:
    shown = console(allow_writes=False)
    client = browser(shown)
    world.calls.clear()
    answer = client.post(path, data={"form_token": client.app.form_token})  # type: ignore[attr-defined]
    assert answer.status_code == 403
    assert "--allow-writes" in answer.text
    assert world.calls == []


@pytest.mark.parametrize("path", [path for path in PAGES if path not in NOT_HTML])
def test_a_read_only_console_has_no_form_that_changes_something(
    path: str, world: ConsoleWorld
) -> None:
    text = browser(console(allow_writes=False)).get(path).text
    assert re.findall(r'<form[^>]*method="post"', text) == []


@pytest.mark.parametrize("path", ["/", "/static/htmx.min.js", "/nowhere", "/failures"])
def test_every_answer_has_a_strict_policy(path: str, world: ConsoleWorld) -> None:
    headers = browser(console()).get(path).headers
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "same-origin"


def test_a_report_runs_nothing(world: ConsoleWorld) -> None:
    answer = browser(console()).get(f"/files/{SOURCE.file_id}/outputs/report")
    assert answer.status_code == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("sandbox; default-src 'none'")
    assert "script" not in policy


def test_other_outputs_are_saved_and_not_shown(world: ConsoleWorld) -> None:
    answer = browser(console()).get(f"/files/{SOURCE.file_id}/outputs/rejected")
    assert answer.headers["content-disposition"].startswith("attachment;")
    assert answer.headers["content-type"] == "application/octet-stream"


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "nowhere.js", "console.css.txt"])
def test_only_the_static_files_are_served(name: str, world: ConsoleWorld) -> None:
    assert browser(console()).get(f"/static/{name}").status_code == 404


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "PATCH"])
def test_only_pages_and_forms_are_answered(method: str, world: ConsoleWorld) -> None:
    assert browser(console()).request(method, "/").status_code == 405
