"""Commands about who vouches for what, and about what stays closed."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import answer, app, list_facts, out
from unlearnlog.cli.options import (
    JsonOption,
    LedgerOption,
    RevArgument,
    SignersOption,
    opened,
)
from unlearnlog.errors import IntegrityError, NoLedger, RevisionError

if TYPE_CHECKING:
    from unlearnlog.commands.signatures import Verification
    from unlearnlog.ledger.sealed_files import SealResult


@app.command()
def verify(
    target: Annotated[
        str, typer.Argument(help="A revision, or a folder that was given away.")
    ] = "HEAD",
    signers: SignersOption = None,
    key: Annotated[
        Path | None,
        typer.Option("--key", help="Public key of the signer of a folder, PEM."),
    ] = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check who signed each entry of a revision, or a folder that was given away."""
    if key is None and (found := _of_revision(target, signers, folder)) is not None:
        _say_verified(found, as_json=as_json)
        return
    from unlearnlog.api import verify_folder

    done = verify_folder(target, key)
    facts = {
        "folder": done.folder,
        "signature": "good" if done.is_signed else "not checked: no --key was given",
        "files": f"{done.n_files} as they were released"
        if done.n_files
        else "as they were signed",
    }
    answer(asdict(done) if as_json else None, lambda: list_facts(facts))


def _of_revision(
    target: str, signers: Path | None, folder: Path | None
) -> Verification | None:
    """Return the standing of a revision; None where the target is a folder."""
    try:
        ledger = opened(folder)
        ledger.chain.resolve(target)
    except (NoLedger, RevisionError):
        if Path(target).is_dir():
            return None
        raise
    return ledger.verify(target, signers=signers)


def _say_verified(found: Verification, *, as_json: bool) -> None:
    """Show the standing of each entry; fail where one, or the tag, has none.

    Raises:
        IntegrityError: No allowed signer vouches for an entry, or for the tag.
    """
    from unlearnlog.report.trust_tables import standings_table

    data = found.row() if as_json else None
    answer(data, lambda: out.print(standings_table(found)))
    if not found.holds:
        raise _unvouched(found)


def _unvouched(found: Verification) -> IntegrityError:
    """Return the error for what no allowed signer vouches for."""
    faults = [each for each in found.faults if each is not found.tag]
    if not faults and found.tag:
        entry = found.tag.entry or "base"
        return IntegrityError(
            f"no allowed signer vouches for the tag {found.rev}: {found.tag.problem}",
            fix="where it was signed, it was moved: ask its signer which entry it "
            f"named; for the entries alone: unlearnlog verify {entry[:12]}",
        )
    named = [each.entry[:12] for each in faults if each.entry]
    return IntegrityError(
        f"no allowed signer vouches for {len(named)} of {len(found.entries)} "
        f"entries: {', '.join(named[:4])}",
        fix="take the history from a copy that is signed; or check it, and vouch "
        "for all of it with a tag: unlearnlog tag -s NAME",
    )


@app.command()
def blame(
    concept: Annotated[str, typer.Argument(help="A concept, by any of its names.")],
    rev: RevArgument = "HEAD",
    reading: Annotated[
        str, typer.Option("--reading", help="presence, moved.nats or moved.")
    ] = "",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the entries that moved a concept, by how much, in their order."""
    from unlearnlog.report.trust_tables import blame_table

    found = opened(folder).blame(concept, rev, reading=reading)
    data = found.row() if as_json else None
    answer(data, lambda: out.print(blame_table(found)))


@app.command()
def shortlog(
    rev: RevArgument = "HEAD",
    by: Annotated[
        Literal["author", "signer"],
        typer.Option("--by", help="Authors of notes, or signers by sign.signers."),
    ] = "author",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Count the entries of each author or signer, and list them."""
    from unlearnlog.report.trust_tables import share_lines

    shares = opened(folder).shortlog(rev, by=by)
    rows = [share.row() for share in shares] if as_json else None
    answer(rows, lambda: out.print(*share_lines(shares), sep="\n"))


@app.command()
def seal(
    recipient: Annotated[
        list[str] | None,
        typer.Option("-r", "--recipient", help="age1..., or an SSH public key."),
    ] = None,
    recipients: Annotated[
        list[Path] | None,
        typer.Option("-R", "--recipients-file", help="A file with one on each line."),
    ] = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Encrypt what could undo the erasures; the history stays to be read."""
    ledger = opened(folder)
    done = ledger.seal(*recipient or (), recipient_files=recipients or ())
    _say_sealed("sealed", done, as_json=as_json)


@app.command()
def unseal(
    identity: Annotated[
        Path,
        typer.Option("-i", "--identity", help="The secret key: a file of age or SSH."),
    ],
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Decrypt a sealed ledger again."""
    _say_sealed("unsealed", opened(folder).unseal(identity), as_json=as_json)


def _say_sealed(word: str, done: SealResult, *, as_json: bool) -> None:
    counts = f"{done.n_deltas} deltas, {done.n_attacks} attacks"
    facts = {word: f"{counts}, {done.n_bytes} bytes"}
    answer({word: asdict(done)} if as_json else None, lambda: list_facts(facts))


@app.command()
def redact(
    name: Annotated[
        str, typer.Argument(help="A concept of the history; none lists them.")
    ] = "",
    shown: Annotated[
        str, typer.Option("--as", help="What is shown in its place; else a number.")
    ] = "",
    undo: Annotated[bool, typer.Option("--undo", help="Show the name again.")] = False,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Replace a concept's name in whatever is shown and exported."""
    from unlearnlog.core.concept_redaction import concept_redaction
    from unlearnlog.core.redaction import put_in_force

    found = opened(folder).redact(name, shown, undo=undo)
    put_in_force(concept_redaction(found))
    labels = list(dict.fromkeys(found.values()))
    facts = {"redacted": ", ".join(labels) or "nothing"}
    answer({"redacted": labels} if as_json else None, lambda: list_facts(facts))
