"""The guard of the page: an ASGI application that lets only some requests through.

On an address of this machine alone, a request must name this machine: a page of
another site cannot reach it under a name of its own. On any other address it needs the
token, or the cookie that the token was exchanged for.
"""

from __future__ import annotations

import html
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from hmac import compare_digest
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

POLICY: Final = "; ".join(
    (
        "default-src 'self'",
        "script-src 'self' 'unsafe-inline' 'unsafe-eval'",  # as Gradio's page needs
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data:",
        "font-src 'self' data:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
"""The content security policy: the browser asks no other machine for anything."""

HEADERS: Final = {
    "content-security-policy": POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
}

OPEN: Final = ("/config", "/theme.css", "/favicon.ico", "/manifest.json")
BELOW: Final = (
    *("/assets/", "/static/", "/gradio_api/queue/", "/gradio_api/heartbeat/"),
    *("/gradio_api/startup-events", "/gradio_api/app_id", "/gradio_api/cancel"),
    "/gradio_api/reset",
)
"""Paths that the page uses; Gradio's uploads, files, proxies and editors are not."""

LOCAL: Final = ("127.0.0.1", "localhost", "::1")


def is_local(host: str) -> bool:
    """Return whether an address can be reached from this machine alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def new_token() -> str:
    """Return a random token of 256 bits."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class PageGuard:
    """An ASGI application that lets some requests through to another one.

    Attributes:
        app: The other one.
        token: The token; empty on an address of this machine alone.
        host: The address that is listened on.
    """

    app: Application
    token: str
    host: str
    _cookie: str = field(default_factory=new_token)

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
        elif scope["type"] == "http":
            await self._http(scope, receive, _with_headers(send))
        else:  # the page opens no web socket
            await send({"type": "websocket.close", "code": 1008})

    async def _http(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request of HTTP, or let it through."""
        sent = {k.decode("latin-1"): v.decode("latin-1") for k, v in scope["headers"]}
        path = scope["path"]
        if not self._is_for_us(sent):
            await _say(send, 403, "This page answers to its own address alone.")
        elif self.token and not self._knows(sent):
            query = parse_qs(scope.get("query_string", b"").decode("latin-1"))
            await self._ask(send, query.get("token", [""])[0])
        elif path != "/" and path not in OPEN and not path.startswith(BELOW):
            await _say(send, 404, "There is nothing here.")
        else:
            await self.app(scope, receive, send)

    def _is_for_us(self, sent: dict[str, str]) -> bool:
        """Return whether a request names our address, and comes from our page."""
        host, origin = sent.get("host", ""), sent.get("origin")
        try:
            name = urlsplit(f"//{host}").hostname or ""
        except ValueError:
            return False
        if not self.token and name not in (*LOCAL, self.host):
            return False
        return origin is None or origin == f"http://{host}"

    def _knows(self, sent: dict[str, str]) -> bool:
        """Return whether a request has the cookie, compared in constant time."""
        try:
            found = SimpleCookie(sent.get("cookie", "")).get("unlearnlog")
        except CookieError:
            return False
        return found is not None and _same(found.value, self._cookie)

    async def _ask(self, send: Send, given: str) -> None:
        """Exchange the token for a cookie, or ask for it."""
        if given and _same(given, self.token):
            cookie = f"unlearnlog={self._cookie}; Path=/; HttpOnly; SameSite=Lax"
            await _say(send, 303, "", {"location": "/", "set-cookie": cookie})
            return
        wrong = "That is not the token." if given else ""
        await _say(send, 401, _ASKED.format(wrong=html.escape(wrong)))


_ASKED: Final = (
    '<form method="get" action="/"><p>{wrong}</p>'
    "<label>Token, as the terminal shows it "
    '<input name="token" type="password" autocomplete="off" autofocus></label> '
    "<button>Open</button></form>"
)


def _same(one: str, other: str) -> bool:
    """Return whether two texts are equal, in a time that tells nothing of either."""
    return compare_digest(one.encode("utf-8", "replace"), other.encode("utf-8"))


def _with_headers(send: Send) -> Send:
    """Return a sender that adds the headers of every answer."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            added = [(k.encode(), v.encode()) for k, v in HEADERS.items()]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return sending


async def _say(
    send: Send, status: int, body: str, headers: dict[str, str] | None = None
) -> None:
    """Answer with a short page."""
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>unlearnlog</title>'
        "<style>body{font:17px/1.5 system-ui,sans-serif;margin:4rem auto;"
        f"max-width:32rem;padding:0 1rem}}</style>{body}"
    )
    fields = {"content-type": "text/html; charset=utf-8", "cache-control": "no-store"}
    fields |= headers or {}
    raw = [(k.encode("latin-1"), v.encode("latin-1")) for k, v in fields.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": page.encode()})
