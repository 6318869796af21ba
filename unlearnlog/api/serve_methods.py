"""The local page, as a method of the ledger."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, cast

from unlearnlog.api.opened import OpenedLedger

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.api.page.page_server import PageAddress


class ServeMethods(OpenedLedger):
    """The method that serves the ledger as a page."""

    def serve(
        self,
        host: str = "127.0.0.1",
        port: int = 7860,
        *,
        ready: Callable[[PageAddress], None] | None = None,
    ) -> None:
        """Serve a page for people who do not type commands, until interrupted.

        On an address that other machines reach, the page asks for a token, which
        ``ready`` receives. Nothing is written without a typed confirmation.

        Args:
            host: The address to listen on.
            port: The port; 0 for a free one.
            ready: Receives the page's address and token; None to print them.

        Raises:
            UsageError: Gradio is not installed, or the address cannot be listened on.
            NoLedger: There is no ledger yet.

        Example::

            Ledger.open("my-ledger").serve()
        """
        from unlearnlog.api.page.page_actions import PageActions
        from unlearnlog.api.page.page_server import check_page, serve_page

        check_page(host, port)
        self.check()
        assert self.chain  # raises where there is no ledger
        serve_page(PageActions(cast("Ledger", self)), host, port, ready or _print)


def _print(address: PageAddress) -> None:
    print(address.url, *filter(None, [address.token]))  # noqa: T201
