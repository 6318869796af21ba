"""Who gets to the page: its own address, its own site, and those with the token."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import pytest

from unlearnlog.api.page.page_guard import POLICY, PageGuard, is_local, new_token

TOKEN = "k7Qd-0aZ_" * 4 + "k7Qd-0a"  # fixed: names of tests hold it
HERE = {"host": "127.0.0.1:7860"}
THERE = {"host": "lab.example:7860"}


@dataclass
class Answer:
    """What came back, and whether the page behind the guard was reached."""

    status: int
    headers: dict[str, str]
    body: str
    reached: bool


def ask(guard_of, path="/", query="", kind="http", method="GET", **headers):
    """Send a request through a guard to a page that says "in"."""
    sent, reached = [], []

    async def page(scope, _, send):
        reached.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"in"})

    async def send(message):
        sent.append(message)

    async def receive():
        return {"type": "http.disconnect"}

    raw = [(k.encode(), v.encode("latin-1")) for k, v in headers.items()]
    scope = {"type": kind, "path": path, "method": method, "headers": raw}
    scope["query_string"] = query.encode()
    asyncio.run(guard_of(page)(scope, receive, send))
    first = {k.decode(): v.decode() for k, v in sent[0].get("headers", ())}
    status, body = sent[0].get("status", 0), sent[-1].get("body", b"").decode()
    return Answer(status, first, body, bool(reached))


def local(page):
    return PageGuard(page, "", "127.0.0.1")


def shared(page):
    return PageGuard(page, TOKEN, "0.0.0.0", "cookie-of-the-test")


@pytest.mark.parametrize("host", ["127.0.0.1:7860", "localhost:7860", "[::1]:7860"])
def test_on_this_machine_the_page_is_open(host):
    found = ask(local, host=host)

    assert (found.status, found.body) == (200, "in")


@pytest.mark.parametrize("host", ["", "evil.example", "evil.example:7860", "[::1"])
def test_a_name_of_another_site_that_leads_here_is_refused(host):
    found = ask(local, host=host)

    assert (found.status, found.reached) == (403, False)


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example", "null", "http://127.0.0.1:1", "https://127.0.0.1:7860"],
)
def test_a_request_that_another_site_sends_is_refused(origin):
    found = ask(local, "/gradio_api/queue/join", method="POST", origin=origin, **HERE)

    assert (found.status, found.reached) == (403, False)


def test_a_request_of_the_page_itself_is_let_through():
    path, origin = "/gradio_api/queue/join", "http://127.0.0.1:7860"
    found = ask(local, path, method="POST", origin=origin, **HERE)

    assert found.reached


@pytest.mark.parametrize(
    "path",
    [
        *("/gradio_api/upload", "/gradio_api/file=/etc/passwd", "/monitoring"),
        *("/gradio_api/proxy=https://a.hf.space/", "/gradio_api/vibe-edit", "/docs"),
        *("/gradio_api/run/erase", "/gradio_api/call/erase", "/gradio_api/info"),
        *("/gradio_api/queuex", "/svelte/../etc/passwd", "/gradio_api/runs"),
    ],
)
def test_what_gradio_offers_and_the_page_does_not_use_is_closed(path):
    found = ask(local, path, **HERE)

    assert (found.status, found.reached) == (404, False)


@pytest.mark.parametrize("guard", [local, shared])
def test_web_sockets_are_refused(guard):
    found = ask(guard, kind="websocket", **HERE)

    assert not found.reached


@pytest.mark.parametrize(
    "path", ["/", "/config", "/assets/a.js", "/gradio_api/queue/join"]
)
def test_on_another_address_nothing_is_shown_without_the_token(path):
    found = ask(shared, path, **THERE)

    assert (found.status, found.reached) == (401, False)
    assert 'name="token"' in found.body
    assert TOKEN not in found.body


@pytest.mark.parametrize(
    "token", ["x", TOKEN[:-1], TOKEN + "x", "%00", "%ED%A0%80", "é"]
)
def test_a_wrong_token_is_refused_and_not_repeated(token):
    found = ask(shared, query=f"token={token}", **THERE)

    assert (found.status, found.reached) == (401, False)
    assert "set-cookie" not in found.headers
    assert token not in found.body or len(token) == 1


def test_the_token_is_exchanged_for_a_cookie_that_opens_the_page():
    given = ask(shared, query=f"token={TOKEN}", **THERE)
    cookie = given.headers["set-cookie"]

    found = ask(shared, cookie=cookie.partition(";")[0], **THERE)

    assert (given.status, given.headers["location"], given.reached) == (303, "/", False)
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie
    assert TOKEN not in cookie
    assert (found.status, found.body) == (200, "in")


@pytest.mark.parametrize(
    "cookie", ["unlearnlog=", "unlearnlog=x", f"unlearnlog={TOKEN}", "=;=", "a=b; ]["]
)
def test_another_cookie_opens_nothing(cookie):
    found = ask(shared, cookie=cookie, **THERE)

    assert (found.status, found.reached) == (401, False)


async def nowhere(*_):
    """Answer nothing."""


def test_two_pages_have_two_cookies_and_two_tokens():
    one, other = (PageGuard(nowhere, "t", "0.0.0.0") for _ in range(2))

    assert one != other
    assert new_token() != new_token()
    assert len(new_token()) >= 43


@pytest.mark.parametrize(
    "found", [ask(local, **HERE), ask(local, "/no", **HERE), ask(shared, **THERE)]
)
def test_every_answer_forbids_the_browser_to_ask_other_machines(found):
    assert found.headers["content-security-policy"] == POLICY
    assert "http" not in POLICY
    assert found.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize(
    ("host", "local"),
    [
        *(("127.0.0.1", True), ("127.8.9.1", True), ("::1", True), ("localhost", True)),
        *(("0.0.0.0", False), ("::", False), ("10.0.0.1", False), ("", False)),
        *(("localhost.evil.example", False), ("example.org", False)),
    ],
)
def test_only_addresses_of_this_machine_need_no_token(host, local):
    assert is_local(host) is local
