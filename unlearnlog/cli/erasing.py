"""Commands that change what is erased."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from unlearnlog.cli.app import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    LedgerOption,
    PolicyOption,
    answer,
    app,
    err,
    list_facts,
    out,
    start,
)
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.run.erase import Order
    from unlearnlog.run.place import Place


@app.command()
def init(
    model: Annotated[
        str,
        typer.Option("--model", help="atelier, a folder, or owner/name@commit."),
    ] = "atelier",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an empty ledger for a model, in this folder."""
    from unlearnlog.run.place import init as make

    made = make(start(ledger), model)
    facts = {
        "ledger": str(made.folder),
        "model": made.base.source,
        "base": made.base.root,
    }
    answer(facts if as_json else None, lambda: list_facts(facts))


@app.command()
def add(
    concept: Annotated[
        list[str], typer.Argument(help='What to forget, such as "Picasso".')
    ],
    batch: Annotated[
        bool, typer.Option("--batch", help="Several concepts in one erasure.")
    ] = False,
    kind: Annotated[
        str, typer.Option("--kind", help="What a name is that no file knows.")
    ] = "",
    alias: Annotated[
        list[str] | None, typer.Option("--alias", help="Another name; repeatable.")
    ] = None,
    anchor: Annotated[str, typer.Option("--anchor", help="What takes its place.")] = "",
    parent: Annotated[str, typer.Option("--parent", help="Its family.")] = "",
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", help='"PROMPT => SAME WITHOUT IT"; repeatable.'),
    ] = None,
    concepts: Annotated[
        Path | None, typer.Option("--concepts", help="A .toml file of concepts.")
    ] = None,
    policy: PolicyOption = "default",
    judge: Annotated[
        str, typer.Option("--judge", help="auto, base, none, or a CLIP folder.")
    ] = "",
    seed: Annotated[int, typer.Option(min=0, help="Where randomness starts.")] = 0,
    accept_undecided: Annotated[
        bool, typer.Option("--accept-undecided", help="Record it all the same.")
    ] = False,
    eraser: Annotated[
        str, typer.Option("--eraser", help="A method; else the policy's.")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="anchor, context or unconditional.")
    ] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what it would cost; do nothing.")
    ] = False,
    device: DeviceOption = "cpu",
    dtype: DtypeOption = "float32",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a concept, measure what that did, and record it."""
    from unlearnlog.concept import free_prompt
    from unlearnlog.policy import Policy
    from unlearnlog.run.erase import Order
    from unlearnlog.run.place import place

    rules = Policy.load(policy).saying(judge=judge, eraser=eraser, target=target)
    free = tuple(free_prompt(text) for text in prompt or ())
    if len(concept) > 1 and not batch:
        raise UsageError(
            f"{len(concept)} concepts, but not --batch",
            fix="erase them one by one, or add --batch to train them together",
        )
    at = place(
        start(ledger), may_create=True, concepts=concepts, device=device, dtype=dtype
    )
    said = {
        "aliases": tuple(alias or ()),
        "anchor": anchor,
        "parent": parent,
        "prompts": free,
    }
    if len(concept) > 1 and (alias or free):
        raise UsageError(
            f"--alias and --prompt say something of one concept, not of {len(concept)}",
            fix="write it into a file, see docs/CONCEPTS.md, and give --concepts FILE",
        )
    named = tuple(at.world.named(name, kind=kind, said=said) for name in concept)
    order = Order(named, rules, seed, accept_undecided)
    if dry_run:
        _dry_run(at, order, as_json=as_json)
    else:
        _add(at, order, as_json=as_json)


@app.command()
def revert(
    rev: Annotated[list[str], typer.Argument(help="Entries: ids, HEAD~2, a tag.")],
    rederive: Annotated[
        bool, typer.Option("--rederive", help="Make later erasures anew.")
    ] = False,
    no_probes: Annotated[
        bool, typer.Option("--no-probes", help="Look at no pictures.")
    ] = False,
    policy: PolicyOption = "default",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave entries out of the model, in the middle too, and record that."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.terminal import Bars, readings_table, stale_table
    from unlearnlog.run import undo
    from unlearnlog.run.place import place

    at = place(start(ledger))
    rules = None if no_probes else Policy.load(policy)
    with Bars(err) as bars:
        wish = undo.Wish(tuple(rev), rules, bars)
        done = undo.rederive(at, wish) if rederive else undo.revert(at, wish)
    row = {
        **done.entry.row(),
        "stale": [asdict(each) for each in done.stale],
        "again": [entry.row() for entry in done.again],
    }
    if as_json:
        answer(row, lambda: None)
        return
    if done.entry.readings:
        out.print(readings_table(done.entry.readings))
    if done.stale:
        out.print(stale_table(done.stale))
    for failure in done.entry.verdict.failures:
        err.print(f"the policy minds: {failure}", style="yellow", soft_wrap=True)
    names = ", ".join(concept.name for concept in done.entry.concepts)
    out.print(
        f"recorded {done.entry.id[:12]}: {names} left out; "
        f"{len(done.again)} later erasures made anew",
        highlight=False,
        soft_wrap=True,
    )


def _add(at: Place, order: Order, *, as_json: bool) -> None:
    """Carry out an order, and say what came of it."""
    from unlearnlog.report.terminal import Bars, readings_table
    from unlearnlog.run import erase

    if at.ledger is None:
        err.print(
            f"no ledger yet: creating one in {at.folder} for the bundled model atelier "
            "(for another: unlearnlog init --model PATH)",
            soft_wrap=True,
            highlight=False,
        )
    with Bars(err) as bars:
        outcome = erase.add(at, replace(order, watch=bars))
    entry = outcome.entry
    row = {**entry.row(), "created": outcome.created}
    answer(row if as_json else None, lambda: out.print(readings_table(entry.readings)))
    if not entry.verdict.passed:
        erase.refuse(outcome)
    if not as_json:
        names = ", ".join(c.name for c in entry.concepts)
        out.print(
            f"recorded {entry.id[:12]}: {names} erased in {entry.seconds:.0f} s; "
            "to take it back: unlearnlog reset HEAD~1",
            highlight=False,
            soft_wrap=True,
        )


def _dry_run(at: Place, order: Order, *, as_json: bool) -> None:
    from unlearnlog.run.estimate import estimate

    found = estimate(at, order)
    facts = {
        "would forget": ", ".join(concept.name for concept in order.concepts),
        "forget set": f"{found.forget} pictures",
        "probes": f"{found.looked} pictures",
        "training": f"at most {found.steps} steps",
        "time": f"about {found.seconds:.0f} s, or less",
        "peak memory": f"about {found.peak_bytes / 2**20:.0f} MiB",
    }
    answer(asdict(found) if as_json else None, lambda: list_facts(facts))
