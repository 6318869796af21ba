"""The command that pushes a revision's model to a hub."""

from __future__ import annotations

from typing import Annotated

import typer

from unlearnlog.cli.app import answer, app, err, list_facts
from unlearnlog.cli.options import (
    BaseOption,
    JsonOption,
    LedgerOption,
    StateArgument,
    opened,
)


@app.command("push-model")
def push_model(
    rev: StateArgument,
    repository: Annotated[str, typer.Argument(help="OWNER/NAME on the hub.")],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", help="Send it; else only say what would be sent.")
    ] = False,
    public: Annotated[
        bool, typer.Option("--public", help="Everybody may read it; else only you.")
    ] = False,
    message: Annotated[
        str, typer.Option("-m", "--message", help="Of the commit on the hub.")
    ] = "",
    base: BaseOption = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Push the model of a revision to the hub, as a diffusers folder with its card."""
    done = opened(folder, base=base).push_model(
        rev, repository, public=public, message=message, dry_run=not yes
    )
    facts = {
        "repository": f"{done.repository}, {'public' if done.public else 'private'}",
        "message": done.message,
        "files": f"{len(done.files)}, {done.n_bytes} bytes: {', '.join(done.files)}",
    }
    if done.url:
        facts["pushed"] = done.url
    answer(done.row() if as_json else None, lambda: list_facts(facts))
    if not done.url:
        err.print("dry run: nothing was sent; add --yes to push it", soft_wrap=True)
