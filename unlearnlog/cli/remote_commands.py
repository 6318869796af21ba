"""Commands that exchange a ledger's history with copies of it elsewhere."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import IS_SEALED, answer, app, err, list_facts
from unlearnlog.cli.options import JsonOption, LedgerOption, opened
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from unlearnlog.commands.clone import CloneResult
    from unlearnlog.commands.push_pull import FetchResult, PushResult

remote = typer.Typer(
    invoke_without_command=True,
    rich_markup_mode=None,
    help="Name the places where copies of the ledger lie.",
)
app.add_typer(remote, name="remote")

RemoteArgument = Annotated[
    str, typer.Argument(help="Its name. Else: origin, or the only one.")
]
UrlArgument = Annotated[
    str,
    typer.Argument(help="A path, sftp://, s3://, gs://, hf:// or, to read, https://."),
]


@remote.callback()
def _remotes(
    context: typer.Context, folder: LedgerOption = None, as_json: JsonOption = False
) -> None:
    """Name the places where copies of the ledger lie.

    A push brings what they lack there, a pull what is missing here. The base's weights
    never travel, and no password or key is kept.
    """
    context.obj = folder
    if context.invoked_subcommand is None:
        _list(folder, as_json=as_json)


@remote.command("list")
def list_remotes(
    context: typer.Context, folder: LedgerOption = None, as_json: JsonOption = False
) -> None:
    """List the remotes with their addresses."""
    _list(folder or context.obj, as_json=as_json)


def _list(folder: Path | None, *, as_json: bool) -> None:
    found = opened(folder).remotes
    if not found and not as_json:
        err.print("no remote is named yet: unlearnlog remote add origin URL")
        return
    answer({"remotes": found} if as_json else None, lambda: list_facts(found))


@remote.command("add")
def add(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="A name, such as origin.")],
    url: UrlArgument,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Give an address a name; nothing is asked there."""
    ledger = opened(folder or context.obj)
    ledger.add_remote(name, url)
    facts = {name: ledger.remotes[name]}
    answer({"remotes": facts} if as_json else None, lambda: list_facts(facts))


@remote.command("remove")
def remove(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="The remote's name.")],
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Forget a remote; nothing is removed there."""
    ledger = opened(folder or context.obj)
    ledger.remove_remote(name)
    left = ledger.remotes
    answer(
        {"remotes": left} if as_json else None, lambda: list_facts({name: "removed"})
    )


@app.command()
def clone(
    url: UrlArgument,
    folder: Annotated[
        Path | None,
        typer.Argument(help="A new folder. Else: named as the address ends."),
    ] = None,
    branch: Annotated[
        str, typer.Option("--branch", "-b", help="To be on. Else: the remote's own.")
    ] = "",
    base: Annotated[
        Path | None, typer.Option("--base", help="Where its base is on this machine.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Copy a remote into a new ledger; the weights of its base do not travel."""
    from unlearnlog.api import Ledger
    from unlearnlog.report.entry_tables import ProgressBars

    with ProgressBars(err) as bars:
        done = Ledger.copied(url, folder, branch=branch, base=base, watch=bars)
    answer(asdict(done) if as_json else None, lambda: _say_cloned(done))


def _say_cloned(done: CloneResult) -> None:
    """Print what was copied, and what is left to do for the base."""
    facts = {
        "ledger": done.ledger,
        "origin": done.url,
        "branch": done.branch,
        "head": done.head,
        "base": f"{done.base}, {done.root}",
        "fetched": _traffic(done.n_files, done.n_bytes),
    }
    if done.sealed:
        facts["sealed"] = IS_SEALED
    list_facts(facts | ({} if done.base_found else {"base is not here": done.to_do}))


@app.command()
def push(
    remote: RemoteArgument = "",
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Branches and tags. Else: the current branch."),
    ] = None,
    all_branches: Annotated[bool, typer.Option("--all", help="Every branch.")] = False,
    tags: Annotated[bool, typer.Option("--tags", help="Every tag.")] = False,
    lease: Annotated[
        bool,
        typer.Option(
            "--force-with-lease",
            help="Let branches lose what is there, if it is what was last seen here.",
        ),
    ] = False,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            "--expect",
            help="BRANCH:REV, where the remote's must be. Else: as last seen here.",
        ),
    ] = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Send the branch to a remote: only what it lacks, and never over others' work."""
    from unlearnlog.report.entry_tables import ProgressBars

    expected = _expected(expect or ())
    if expected and not lease:
        raise UsageError(
            "--expect says where a branch may be lost, and nothing is forced",
            fix="add --force-with-lease",
        )
    ledger = opened(folder)
    with ProgressBars(err) as bars:
        done = ledger.push(
            remote,
            *(names or ()),
            all_branches=all_branches,
            tags=tags,
            force_with_lease=expected or lease,
            watch=bars,
        )
    answer(asdict(done) if as_json else None, lambda: _say_pushed(done))


def _expected(given: Sequence[str]) -> dict[str, str]:
    """Return the revision by branch of ``--expect``."""
    found = {}
    for text in given:
        branch, colon, rev = text.partition(":")
        if not (branch and colon and rev):
            raise UsageError(
                f"--expect {text!r} is not BRANCH:REV", fix="such as --expect main:base"
            )
        found[branch] = rev
    return found


def _say_pushed(done: PushResult) -> None:
    """Print where each ref was and is there, and what was sent."""
    how = {"new": "new, ", "forward": "", "forced": "forced, ", "same": "unchanged, "}
    refs = {
        each.ref.partition("/")[2]: how[each.how] + _way(each.old, each.new)
        for each in done.refs
    }
    sent = _traffic(done.n_files, done.n_bytes)
    list_facts({"to": f"{done.remote} ({done.url})", **refs, "sent": sent})


@app.command()
def fetch(
    remote: RemoteArgument = "",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring what a remote has, as origin/main; no branch of yours moves."""
    from unlearnlog.report.entry_tables import ProgressBars

    ledger = opened(folder)
    with ProgressBars(err) as bars:
        done = ledger.fetch(remote, watch=bars)
    answer(asdict(done) if as_json else None, lambda: list_facts(_fetched(done)))


@app.command()
def pull(
    remote: RemoteArgument = "",
    branch: Annotated[
        str, typer.Argument(help="The remote's branch. Else: the current one's name.")
    ] = "",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch, then move the branch forward to where the remote's is."""
    from unlearnlog.report.entry_tables import ProgressBars

    ledger = opened(folder)
    with ProgressBars(err) as bars:
        done = ledger.pull(remote, branch, watch=bars)
    facts = {**_fetched(done.fetched), done.branch: _way(done.old, done.new)}
    answer(asdict(done) if as_json else None, lambda: list_facts(facts))


def _fetched(done: FetchResult) -> dict[str, str]:
    """Return what a fetch brought, as facts."""
    branches = {
        f"{done.remote}/{name}": _way(*ends) for name, ends in done.branches.items()
    }
    tags = {f"tag {name}": "new" for name in done.tags}
    kept = {f"tag {name}": "not taken: the name is in use here" for name in done.kept}
    fetched = _traffic(done.n_files, done.n_bytes)
    start = {"from": f"{done.remote} ({done.url})"}
    return {**start, **branches, **tags, **kept, "fetched": fetched}


def _way(old: str, new: str) -> str:
    """Return two entries as a way from one to the other."""
    if not old or old == new:
        return new[:12]
    return f"{old[:12]} -> {new[:12]}"


def _traffic(n_files: int, n_bytes: int) -> str:
    return f"{n_files} files, {n_bytes} bytes"
