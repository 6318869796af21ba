"""The page on an address: its socket, its token and its server."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from unlearnlog.api.page.page_guard import PageGuard, is_local, new_token
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.api.page.page_actions import PageActions
    from unlearnlog.api.page.page_guard import Application


@dataclass(frozen=True)
class PageAddress:
    """Where the page is.

    Attributes:
        url: Its address, for a browser.
        token: What the page asks for; empty on an address of this machine alone.
    """

    url: str
    token: str


def check_page(host: str, port: int) -> None:
    """Refuse a page that cannot be served.

    Raises:
        UsageError: Gradio is not installed, or the port is none.
    """
    if not host:
        raise UsageError("no address is given", fix="--host 127.0.0.1")
    if not 0 <= port < 2**16:
        raise UsageError(f"{port} is no port", fix="--port 7860, or 0 for a free one")
    if find_spec("gradio") is None:
        raise UsageError(
            "the page needs gradio, which is not installed",
            fix="pip install 'unlearnlog[ui]'",
        )


def serve_page(
    actions: PageActions, host: str, port: int, ready: Callable[[PageAddress], None]
) -> None:
    """Serve the page until the process is interrupted.

    Args:
        actions: The answers of the page.
        host: The address to listen on.
        port: The port; 0 for a free one.
        ready: Receives the address once it is listened on.

    Raises:
        UsageError: The address cannot be listened on.
    """
    token = "" if is_local(host) else new_token()
    with _listening(host, port) as sock:
        port = sock.getsockname()[1]
        app = guarded_page(actions, token, host)
        named = f"[{host}]" if ":" in host else host
        ready(PageAddress(f"http://{named}:{port}/", token))
        _run(app, sock)


def guarded_page(actions: PageActions, token: str, host: str) -> PageGuard:
    """Return the page as an ASGI application that lets only some in.

    Args:
        actions: The answers of the page.
        token: What is asked for; empty for nothing.
        host: The address that is listened on.
    """
    import gradio
    from fastapi import FastAPI

    from unlearnlog.api.page.page_layout import STYLE, page_blocks, theme

    app: Application = gradio.mount_gradio_app(
        FastAPI(openapi_url=None),
        page_blocks(actions),
        path="/",
        footer_links=[],
        run_history=False,
        show_error=False,
        ssr_mode=False,
        enable_monitoring=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css=STYLE.read_text(encoding="utf-8"),
    )
    return PageGuard(app, token, host)


def _listening(host: str, port: int) -> socket.socket:
    """Return a socket that listens.

    Raises:
        UsageError: The address is not of this machine, or the port is taken.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, UnicodeError) as error:  # the latter of names that are none
        taken = getattr(error, "errno", None) == errno.EADDRINUSE
        raise UsageError(
            f"cannot listen on {host}, port {port}: {error}",
            fix="--port 0 takes a free one" if taken else "--host 127.0.0.1",
        ) from error


def _run(app: PageGuard, sock: socket.socket) -> None:
    """Serve an application on a socket until the process is interrupted."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )
    uvicorn.Server(config).run(sockets=[sock])
