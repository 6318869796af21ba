"""Commands that read the history, and move along it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearnlog.cli.app import (
    IS_SEALED,
    answer,
    app,
    err,
    list_facts,
    out,
)
from unlearnlog.cli.options import (
    BaseOption,
    ConceptsOption,
    JsonOption,
    LedgerOption,
    OpeningOptions,
    RevArgument,
    SamePolicyOption,
    SeeingJudgeOption,
    SignersOption,
    opened,
    with_blocks,
)
from unlearnlog.core.limits import MANY
from unlearnlog.core.provenance import NO_NATS, TRAINED_ON
from unlearnlog.core.sample_name import few_of
from unlearnlog.errors import IntegrityError, UsageError
from unlearnlog.report.entry_tables import ProgressBars
from unlearnlog.report.output_file import check_written

if TYPE_CHECKING:
    from unlearnlog.commands.bisect import BisectResult as Bisected
    from unlearnlog.core.entry import Entry
    from unlearnlog.ledger.fsck import Damage
    from unlearnlog.policy import Policy


@app.command()
def log(
    rev: Annotated[
        str, typer.Argument(help="Up to which: an id, origin/main.")
    ] = "HEAD",
    *,
    graph: Annotated[
        bool, typer.Option("--graph", help="Every branch and tag, as a tree.")
    ] = False,
    moves: Annotated[
        bool, typer.Option("--moves", help="Where the branch has been, resets too.")
    ] = False,
    concept: Annotated[
        str, typer.Option("--concept", help="Only entries about this one.")
    ] = "",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was erased, newest first, with its numbers."""
    from unlearnlog.report.entry_tables import log_table, moves_table, notes_table
    from unlearnlog.report.log_graph import graph_lines

    ledger = opened(folder)
    found = ledger.chain
    asked = {"--graph": graph, "--moves": moves, "--concept": bool(concept)}
    if len(lists := [name for name, is_asked in asked.items() if is_asked]) > 1:
        raise UsageError(
            f"{' and '.join(lists)} are {'two' if len(lists) == 2 else 'three'} lists",
            fix="ask for one of them at a time",
        )
    if moves:
        made = ledger.moves()
        steps = [move.model_dump() for move in made] if as_json else None
        answer(steps, lambda: out.print(moves_table(made)))
        return
    if graph:
        entries, refs = ledger.tree(), found.refs
        tree = {
            "head": found.branch,
            "refs": refs,
            "entries": [entry.row() for entry in entries.values()],
        }
        lines = graph_lines(entries, refs, f"heads/{found.branch}")
        answer(tree if as_json else None, lambda: out.print(*lines, sep="\n"))
        return
    history = [(e.id, e) for e in reversed(ledger.log(rev, concept=concept))]
    rows = [entry.row() for _, entry in history] if as_json else None
    if not history and not as_json:
        err.print(
            f"nothing is recorded on {found.branch} yet; where it has been: "
            "unlearnlog log --moves"
        )
        return
    tables = log_table(history, found.head), notes_table(history)
    answer(rows, lambda: out.print(*filter(None, tables)))


@app.command()
def show(
    rev: RevArgument = "HEAD",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one entry with every reading."""
    from unlearnlog.core.entry import Entry

    ledger = opened(folder)
    entry = ledger.show(rev)
    if not isinstance(entry, Entry):
        facts = {"revision": "base", "model": entry.source, "base": entry.root}
        answer(facts if as_json else None, lambda: list_facts(facts))
        return
    kind = ledger.chain.delta_kind(entry)
    data = {**_row(entry), "delta_kind": kind} if as_json else None
    answer(data, lambda: _entry(entry, kind))


@app.command()
def status(folder: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Say where the ledger is, what it stands on and what is erased now."""
    found = opened(folder).status()
    facts = {**found.row(), "erased": few_of([*found.erased]) or "nothing"}
    del facts["in_doubt"], facts["sealed"]
    if found.sealed:
        facts["sealed"] = IS_SEALED
    if there := found.upstream:
        ways = f"{there.ahead} ahead, {there.behind} behind"
        facts["upstream"] = f"{there.name}: {ways}"
    alike: dict[str, list[str]] = {}
    for name, why in found.in_doubt.items():
        together = len(found.in_doubt) > MANY
        alike.setdefault("; ".join(why) if together else name, []).append(name)
    for names in alike.values():
        facts[f"in doubt: {few_of(names)}"] = "; ".join(found.in_doubt[names[0]])
    answer(found.row() if as_json else None, lambda: list_facts(facts))


@app.command()
def branch(
    name: Annotated[str, typer.Argument(help="A new branch; none lists them.")] = "",
    rev: Annotated[str, typer.Argument(help="Where it begins.")] = "HEAD",
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the branches, those of remotes too, or begin one; `switch` goes there."""
    ledger = opened(folder)
    rows = {each: entry or "base" for each, entry in ledger.branch(name, rev).items()}
    current = ledger.chain.branch
    shown = {
        f"{'* ' if each == current else '  '}{each}": entry
        for each, entry in rows.items()
    }
    there = {n: entry or "base" for n, entry in ledger.remote_branches().items()}
    shown |= {f"  {each}": entry for each, entry in there.items()}
    data = {"current": current, "branches": rows}
    if there:
        data["remotes"] = there
    answer(data if as_json else None, lambda: list_facts(shown))


@app.command()
def tag(
    name: Annotated[str, typer.Argument(help="A new tag; none lists them.")] = "",
    rev: Annotated[str, typer.Argument(help="What it names.")] = "HEAD",
    sign: Annotated[
        bool, typer.Option("-s", "--sign", help="Sign it with the key of sign.key.")
    ] = False,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """List the tags, or name a revision for good."""
    found = opened(folder).tag(name, rev, sign=sign)
    rows = {each: entry or "base" for each, entry in found.items()}
    answer({"tags": rows} if as_json else None, lambda: list_facts(rows))


@app.command()
def switch(
    name: Annotated[str, typer.Argument(help="The branch to go to.")],
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go to another branch: what is erased next is recorded there."""
    facts = {"branch": name, "head": opened(folder).switch(name) or "base"}
    answer(facts if as_json else None, lambda: list_facts(facts))


@app.command()
@with_blocks
def diff(
    one: Annotated[str, typer.Argument(help="A revision.")],
    other: Annotated[str, typer.Argument(help="Another one.")] = "HEAD",
    *,
    images: Annotated[
        Path | None, typer.Option("--images", help="A PNG to paint both into.")
    ] = None,
    prompt: Annotated[str, typer.Option("--prompt", help="What --images paints.")] = "",
    policy: SamePolicyOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Say what differs between two revisions, in weights and in readings."""
    from unlearnlog.report.entry_tables import difference_table

    if images is not None and not prompt:
        raise UsageError(
            f"no prompt to paint into '{images}'",
            fix='add --prompt "a painting of a cat by Picasso"',
        )
    ledger = opening.open()
    check_written(images, (".png",))
    rules = ledger.rules(policy, about=other)
    found = ledger.diff(one, other)
    if images is not None:
        with ProgressBars(err) as bars:
            ledger.paint(prompt, one, other, policy=rules, output=images, watch=bars)
    answer(
        found.row() if as_json else None,
        lambda: out.print(difference_table(found, one, other)),
    )


@app.command()
@with_blocks
def bisect(
    *,
    concept: Annotated[
        str, typer.Option("--concept", help="What came back, or what broke.")
    ],
    policy: SamePolicyOption = "",
    judge: SeeingJudgeOption = "",
    concepts: ConceptsOption = None,
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Find the first entry that brought a concept back, or that broke one."""
    from unlearnlog.report.entry_tables import looks_table

    ledger = opening.open(concepts)
    rules = ledger.rules(policy, judge=judge, about="HEAD")
    with ProgressBars(err) as bars:
        found = ledger.bisect(concept, policy=rules, watch=bars)
    if as_json:
        answer(asdict(found), lambda: None)
        return
    out.print(looks_table(found.looks))
    out.print(_fault(found))


def _fault(found: Bisected) -> str:
    """Return the result of a bisection as a sentence."""
    if found.entry is None:
        return f"{found.concept} has not {'come back' if found.erased else 'broken'}"
    fault = "came back" if found.erased or found.taken_back else "broke"
    result = f"{found.concept} {fault} with entry {found.entry[:12]}"
    return f"{result}, which took its erasure back" if found.taken_back else result


@app.command()
def fsck(
    full: Annotated[
        bool, typer.Option("--full", help="Replay every entry, and read the cache.")
    ] = False,
    signers: SignersOption = None,
    base: BaseOption = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check that every file of the ledger is what was recorded."""
    damage = opened(folder, base=base).fsck(full=full, signers=signers)
    rows = [asdict(each) for each in damage]
    shown = {each.path: each.problem for each in damage} or {"ledger": "sound"}
    answer({"damage": rows} if as_json else None, lambda: list_facts(shown))
    if damage:
        named = sorted({entry[:12] for each in damage for entry in each.entries})
        raise IntegrityError(
            f"{len(damage)} things are not as they were recorded; entries that "
            f"cannot be trusted: {', '.join(named) or 'none'}",
            fix=_mended(damage),
        )


def _mended(damage: Sequence[Damage]) -> str:
    """Return the fix for some damage."""
    if all(each.is_of_configuration for each in damage):
        return f"correct the file {damage[0].path} by hand, or remove it"
    if all(each.is_of_signatures for each in damage):
        return (
            "take the history from a copy that is signed; or check it, and vouch for "
            "all of it with a tag: unlearnlog tag -s NAME"
        )
    return "put the files back from a copy of the ledger"


@app.command()
def gc(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would go; remove nothing.")
    ] = False,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what crashes and caches left; nothing that was recorded."""
    found = opened(folder).gc(dry_run=dry_run)
    n_bytes = sum(each.n_bytes for each in found)
    done = "would remove" if dry_run else "removed"
    data = {
        "removed": not dry_run,
        "bytes": n_bytes,
        "files": [asdict(f) for f in found],
    }
    shown = {done: f"{len(found)} files, {n_bytes} bytes"}
    answer(data if as_json else None, lambda: list_facts(shown))


@app.command()
def reset(
    rev: Annotated[str, typer.Argument(help="Where to go: HEAD~1, base, an id.")],
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move to another entry; nothing that was recorded is lost."""
    ledger = opened(folder)
    old = ledger.chain.head
    new = ledger.reset(rev)
    facts = {"head": new or "base", "was": old or "base"}
    answer(facts if as_json else None, lambda: list_facts(facts))


def _row(entry: Entry) -> dict[str, Any]:
    """Return an entry as data, with the limits on each of its readings."""
    from unlearnlog.findings.bounds import policy_of
    from unlearnlog.report.formatting import limit_rows

    policy, row = policy_of(entry), entry.row()
    for reading, found in zip(entry.readings, row["readings"], strict=True):
        found["limits"] = limit_rows(reading, policy)
    return {**row, "policy": entry.policy, "rules": entry.rules}


def _entry(entry: Entry, kind: str) -> None:
    """Print an entry with the kind of its delta and every reading."""
    from unlearnlog.core.note import cells
    from unlearnlog.findings.bounds import policy_of
    from unlearnlog.report import formatting
    from unlearnlog.report.entry_tables import readings_table

    settings = ", ".join(f"{k}={v}" for k, v in entry.eraser.settings.items())
    by, ref, message = cells(entry.note)
    note = {"recorded": entry.date, "by": by, "reference": ref, "reason": message}
    verdict = entry.verdict
    size = f"{entry.delta.n_bytes} bytes" if entry.delta else "none"
    policy = policy_of(entry)
    list_facts(
        {
            "entry": entry.id,
            "parent": entry.parent or "base",
            "kind": entry.kind,
            "concepts": ", ".join(c.name for c in entry.concepts),
            **{name: text for name, text in note.items() if text},
            "verdict": formatting.outcome(entry),
            **_listed("does not hold", verdict.failures),
            **_listed("undecided", verdict.undecided),
            "eraser": f"{entry.eraser.name} ({settings})",
            "policy": entry.policy,
            **_rules(entry, policy),
            "state": f"{entry.state.before[:12]} -> {entry.state.after[:12]}",
            **_listed("trained on", (entry.made_with.get(TRAINED_ON, "")[:12],)),
            **_listed("no nats", (entry.made_with.get(NO_NATS, ""),)),
            "delta": ", ".join(filter(None, (size, kind))),
            "took": f"{entry.seconds:.0f} s",
        }
    )
    out.print()
    out.print(readings_table(entry.readings, lambda r: formatting.limits(r, policy)))


def _listed(name: str, texts: Sequence[str]) -> dict[str, str]:
    """Return one fact of the texts that are not empty; none if all are."""
    text = "; ".join(filter(None, texts))
    return {name: text} if text else {}


def _rules(entry: Entry, policy: Policy | None) -> dict[str, str]:
    """Return the policy's rules as facts, as they were when it judged the entry."""
    if entry.policy == "none":
        return {}
    if entry.rules is None:
        return {"limits": "not recorded: the entry keeps only the policy's name"}
    limits = "; ".join(limit.text for limit in policy.limits) if policy else ""
    unread = "" if policy else "a later program's, not to be read by this one"
    return {"rules": entry.rules_digest or "", "limits": limits or unread or "none"}
