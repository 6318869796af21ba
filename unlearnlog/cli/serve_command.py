"""The command that serves the ledger as a page."""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import app, err, list_facts
from unlearnlog.cli.json_answers import say
from unlearnlog.cli.options import (
    ConceptsOption,
    JsonOption,
    OpeningOptions,
    with_blocks,
)

if TYPE_CHECKING:
    from unlearnlog.api.page.page_server import PageAddress


@app.command()
@with_blocks
def serve(
    *,
    host: Annotated[
        str,
        typer.Option("--host", help="Address to listen on; others ask for a token."),
    ] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Its port; 0 takes a free one.")
    ] = 7860,
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Show the ledger as a page in a browser, until Ctrl-C."""
    ledger = opening.open(concepts)

    def ready(address: PageAddress) -> None:
        if as_json:
            say(asdict(address))
        else:
            _say(address)
        sys.stdout.flush()

    with suppress(KeyboardInterrupt):
        ledger.serve(host, port, ready=ready)


def _say(address: PageAddress) -> None:
    """Print where the page is, and its token, which is shown this once."""
    facts = {"page": address.url}
    if address.token:
        facts["token"] = f"{address.token} (shown only now)"
    list_facts(facts)
    if address.token:
        err.print(
            "warning: other machines reach this page, over HTTP, which is not "
            "encrypted; on another machine rather: ssh -L 7860:localhost:7860 HOST",
            style="yellow",
            soft_wrap=True,
        )
    err.print("Ctrl-C ends it", soft_wrap=True)
