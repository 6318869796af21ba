"""Commands that change what is erased."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import (
    BaseOption,
    ConceptsOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    JudgeOption,
    LedgerOption,
    MessageOption,
    PolicyOption,
    RefOption,
    SamePolicyOption,
    answer,
    app,
    err,
    list_facts,
    recording,
    start,
)
from unlearnlog.cli.dry_run_option import DryRunOption, say_first, tell
from unlearnlog.cli.entries import say_composed, say_erased, say_reverted
from unlearnlog.errors import UsageError
from unlearnlog.report.entry_tables import ProgressBars

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.core.concept import Concept
    from unlearnlog.policy import Policy


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
    from unlearnlog.api import Ledger

    made = Ledger.init(start(ledger), model)
    base = made.chain.base
    facts = {"ledger": str(made.folder), "model": base.source, "base": base.root}
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
    concepts: ConceptsOption = None,
    policy: PolicyOption = "",
    judge: JudgeOption = "",
    seed: Annotated[int, typer.Option(min=0, help="Where randomness starts.")] = 0,
    accept_undecided: Annotated[
        bool, typer.Option("--accept-undecided", help="Record it all the same.")
    ] = False,
    eraser: Annotated[
        str, typer.Option("--eraser", help="See unlearnlog erasers.")
    ] = "",
    target: Annotated[
        str, typer.Option("--target", help="anchor, context, sibling, parent...")
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the eraser; repeatable."),
    ] = None,
    harden: Annotated[
        bool, typer.Option("--harden", help="Slow its return in fine-tunes; minutes.")
    ] = False,
    dry_run: DryRunOption = False,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a concept, measure what that did, and record it."""
    from unlearnlog.api import Ledger

    if len(concept) > 1 and not batch:
        raise UsageError(
            f"{len(concept)} concepts, but not --batch",
            fix="erase them one by one, or add --batch to erase them together",
        )
    if len(concept) > 1 and (alias or prompt):
        raise UsageError(
            f"--alias and --prompt say something of one concept, not of {len(concept)}",
            fix="write it into a file, see docs/CONCEPTS.md, and give --concepts FILE",
        )
    if dry_run:
        say_first()
    where = Ledger.open(
        start(ledger),
        may_create=True,
        concepts=concepts,
        device=device,
        dtype=dtype,
        base=base,
    )
    rules = where.rules(policy, judge=judge).saying(
        eraser=eraser, target=target, settings=settings or (), harden=harden
    )
    named = [
        where.concept(
            name,
            kind,
            aliases=alias or (),
            anchor=anchor,
            parent=parent,
            prompts=prompt or (),
        )
        for name in concept
    ]
    where.check_erasing(named, rules)
    if dry_run:
        _dry_run(where, named, rules, as_json=as_json)
    else:
        _say_if_new(where)
        with recording(as_json=as_json, of=where) as bars:
            done = where.add(
                *named,
                policy=rules,
                seed=seed,
                accept_undecided=accept_undecided,
                message=message,
                ref=ref,
                watch=bars,
            )
        row = {**done.entry.row(), "created": done.created}
        answer(row if as_json else None, lambda: say_erased(where, done.entry))


@app.command()
def revert(
    rev: Annotated[list[str], typer.Argument(help="Entries: ids, HEAD~2, a tag.")],
    concept: Annotated[
        list[str] | None,
        typer.Option("--concept", help="Only this one of the entry's; repeatable."),
    ] = None,
    rederive: Annotated[
        bool, typer.Option("--rederive", help="Make later erasures anew.")
    ] = False,
    no_probes: Annotated[
        bool, typer.Option("--no-probes", help="Look at no pictures.")
    ] = False,
    accept_failures: Annotated[
        bool, typer.Option("--accept-failures", help="Record it all the same.")
    ] = False,
    policy: SamePolicyOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Leave entries out of the model, in the middle too, and record that."""
    from unlearnlog.api import Ledger

    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    with recording(as_json=as_json, of=where) as bars:
        done = where.revert(
            *rev,
            concepts=concept or (),
            policy=None if no_probes else policy,
            rederive=rederive,
            accept_failures=accept_failures,
            message=message,
            ref=ref,
            watch=bars,
        )
    row = {
        **done.entry.row(),
        "stale": [asdict(each) for each in done.stale],
        "again": [entry.row() for entry in done.again],
    }
    answer(row if as_json else None, lambda: say_reverted(where, done, concept or ()))


@app.command()
def compose(
    rev: Annotated[
        list[str], typer.Argument(help="Branches, ids, or FOLDER@REV of other ledgers.")
    ],
    how: Annotated[
        Literal["replay", "sum"],
        typer.Option("--how", help="Joint groups: replay solves, sum adds."),
    ] = "replay",
    accept_conflicts: Annotated[
        bool, typer.Option("--accept-conflicts", help="Record it all the same.")
    ] = False,
    policy: SamePolicyOption = "",
    concepts: ConceptsOption = None,
    message: MessageOption = "",
    ref: RefOption = "",
    device: DeviceOption = "",
    dtype: DtypeOption = "",
    base: BaseOption = None,
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Do in this branch what other branches or ledgers did, and measure it."""
    from unlearnlog.api import Ledger

    where = Ledger.open(
        start(ledger), concepts=concepts, device=device, dtype=dtype, base=base
    )
    with recording(as_json=as_json, of=where) as bars:
        done = where.compose(
            *rev,
            how=how,
            policy=policy,
            accept_conflicts=accept_conflicts,
            message=message,
            ref=ref,
            watch=bars,
        )
    row = {**done.entry.row(), "gap": done.gap, "conflicts": list(done.conflicts)}
    row["taken_back"] = list(done.back)
    answer(row if as_json else None, lambda: say_composed(where, done))


def _say_if_new(where: Ledger) -> None:
    if not where.exists:
        err.print(
            f"no ledger yet: creating one in {where.folder} for the bundled model "
            "atelier (for another: unlearnlog init --model PATH)",
            soft_wrap=True,
        )


def _dry_run(
    where: Ledger, concepts: Sequence[Concept], policy: Policy, *, as_json: bool
) -> None:
    from unlearnlog.api import DryRuns

    with ProgressBars(err) as bars:
        found = DryRuns(where, bars).add(*concepts, policy=policy)
    names = ", ".join(concept.name for concept in concepts)
    tell(found, would=f"forget {names}", as_json=as_json)
