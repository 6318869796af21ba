"""Commands that change what is erased."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from unlearnlog.cli.app import answer, app, err, list_facts, out, recording
from unlearnlog.cli.dry_run_option import DryRunOptions, show_cost
from unlearnlog.cli.entry_answers import say_composed, say_erased, say_reverted
from unlearnlog.cli.options import (
    AcceptUndecidedOption,
    ConceptsOption,
    FromOption,
    JsonOption,
    JudgeOption,
    KindOption,
    LedgerOption,
    MessageOption,
    OpeningOptions,
    PolicyOption,
    RefOption,
    SamePolicyOption,
    with_blocks,
)
from unlearnlog.errors import ConceptError, Refused, UsageError
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.core.concept import Concept
    from unlearnlog.policy import Policy


@app.command()
def init(
    model: Annotated[
        str,
        typer.Option(
            "--model",
            help="atelier, glyphs, a folder, a .safetensors, or owner/name@commit.",
        ),
    ] = "atelier",
    tokenizer: Annotated[
        Path | None,
        typer.Option(
            "--tokenizer", help="A folder with CLIP's, for a model in a single file."
        ),
    ] = None,
    folder: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Create an empty ledger for a model, in this folder."""
    from unlearnlog.api import Ledger

    ledger = Ledger.init(folder or ".", model, tokenizer=tokenizer)
    base, notes = ledger.chain.base, [*ledger.notes]
    facts = {"ledger": str(ledger.folder), "model": base.source, "base": base.root}

    def say() -> None:
        list_facts(facts)
        for note in notes:
            out.print(as_text(note), soft_wrap=True)

    answer({**facts, **({"notes": notes} if notes else {})} if as_json else None, say)


@dataclass(frozen=True)
class ConceptOptions:
    """The block of options that describe a concept which no file describes."""

    kind: KindOption = ""
    alias: Annotated[
        list[str] | None, typer.Option("--alias", help="Another name; repeatable.")
    ] = None
    anchor: Annotated[str, typer.Option("--anchor", help="What takes its place.")] = ""
    parent: Annotated[str, typer.Option("--parent", help="Its family.")] = ""
    prompt: Annotated[
        list[str] | None,
        typer.Option("--prompt", help='"PROMPT => SAME WITHOUT IT"; repeatable.'),
    ] = None

    def concepts(
        self, ledger: Ledger, names: Sequence[str], source: Path | None
    ) -> Sequence[Concept]:
        """Return the concepts of some names or of a file, with what was typed of them.

        Raises:
            ConceptError: A new name has no kind, an option is invalid, or rows of the
                file are wrong.
        """
        if source is not None:
            return ledger.concepts_from(
                source, kind=self.kind, anchor=self.anchor, parent=self.parent
            )
        return [
            ledger.concept(
                name,
                self.kind,
                aliases=self.alias or (),
                anchor=self.anchor,
                parent=self.parent,
                prompts=self.prompt or (),
            )
            for name in names
        ]


@dataclass(frozen=True)
class EraserOptions:
    """The block of options that replace the policy's eraser and its settings."""

    eraser: Annotated[str, typer.Option("--eraser", help="See unlearnlog erasers.")] = (
        ""
    )
    target: Annotated[
        str, typer.Option("--target", help="anchor, context, sibling, parent...")
    ] = ""
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", help="NAME=VALUE of the eraser; repeatable."),
    ] = None
    harden: Annotated[
        bool, typer.Option("--harden", help="Slow its return in fine-tunes; minutes.")
    ] = False

    def within(self, policy: Policy) -> Policy:
        """Return the policy with the eraser that was typed.

        Raises:
            PolicyError: There is no such eraser, target or setting.
        """
        return policy.saying(
            eraser=self.eraser,
            target=self.target,
            settings=self.settings or (),
            harden=self.harden,
        )


@app.command()
@with_blocks
def add(
    concept: Annotated[
        list[str] | None, typer.Argument(help='What to forget, such as "Picasso".')
    ] = None,
    *,
    source: FromOption = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Several concepts in one erasure.")
    ] = False,
    about: ConceptOptions,
    concepts: ConceptsOption = None,
    policy: PolicyOption = "",
    judge: JudgeOption = "",
    seed: Annotated[int, typer.Option(min=0, help="Where randomness starts.")] = 0,
    accept_undecided: AcceptUndecidedOption = False,
    chosen: EraserOptions,
    forecast: DryRunOptions,
    message: MessageOption = "",
    ref: RefOption = "",
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Erase a concept, measure what that did, and record it."""
    _check_names(concept or (), about, batch=batch, source=source)
    ledger = opening.open(concepts, may_create=True, forecast=forecast)
    named = about.concepts(ledger, concept or (), source)
    rules = chosen.within(ledger.rules_for(len(named), policy, judge=judge))
    ledger.check_erasing(named, rules)
    if forecast.dry_run:
        _forecast(ledger, named, rules, forecast.price_for(ledger), as_json=as_json)
        return
    _say_if_new(ledger)
    with (
        _naming_rows(ledger, source, named, rules),
        recording(as_json=as_json, of=ledger) as bars,
    ):
        done = ledger.add(
            *named,
            policy=rules,
            seed=seed,
            accept_undecided=accept_undecided,
            message=message,
            ref=ref,
            watch=bars,
        )
    row = {**done.entry.row(), "created": done.created}
    answer(row if as_json else None, lambda: say_erased(ledger, done.entry))


def _forecast(
    ledger: Ledger,
    named: Sequence[Concept],
    rules: Policy,
    price: float | None,
    *,
    as_json: bool,
) -> None:
    """Show what an erasure would cost."""
    from unlearnlog.report.screenful import some_of

    show_cost(
        ledger,
        lambda runs: runs.add(*named, policy=rules),
        would=f"forget {some_of([each.name for each in named])}",
        price=price,
        as_json=as_json,
    )


@contextmanager
def _naming_rows(
    ledger: Ledger, source: Path | None, named: Sequence[Concept], rules: Policy
) -> Iterator[None]:
    """Let a refusal name the rows of a file that it is about."""
    try:
        yield
    except (ConceptError, Refused) as error:
        if source is None:
            raise
        raise ledger.about_rows(error, source, named, rules) from error


def _check_names(
    names: Sequence[str], about: ConceptOptions, *, batch: bool, source: Path | None
) -> None:
    """Refuse no concept, several without ``--batch``, or with options about one.

    Raises:
        UsageError: It is none, or they are several, or stand in a file.
    """
    if not names and source is None:
        raise UsageError(
            "no concept is named",
            fix='name one: unlearnlog add "Picasso"; or give a file of many, --from '
            "names.csv",
        )
    if source is not None and (names or about.alias or about.prompt):
        given = f"'{names[0]}'" if names else "--alias" if about.alias else "--prompt"
        raise UsageError(
            f"{given} beside --from '{source}'",
            fix="write all into the file: name, kind, anchor, aliases",
        )
    if len(names) > 1 and not batch:
        raise UsageError(
            f"{len(names)} concepts, but not --batch",
            fix="erase them one by one, or add --batch to erase them together",
        )
    if len(names) > 1 and (about.alias or about.prompt):
        raise UsageError(
            f"--alias and --prompt say something of one concept, not of {len(names)}",
            fix="write it into a file, see docs/CONCEPTS.md, and give --concepts FILE",
        )


def _say_if_new(ledger: Ledger) -> None:
    """Announce that a ledger is created, where there is none."""
    if not ledger.exists:
        err.print(
            f"no ledger yet: creating one in {ledger.folder} for the bundled model "
            "atelier (for another: unlearnlog init --model PATH)",
            soft_wrap=True,
        )


@app.command()
@with_blocks
def revert(
    rev: Annotated[list[str], typer.Argument(help="Entries: ids, HEAD~2, a tag.")],
    *,
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
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Leave entries out of the model, in the middle too, and record that."""
    ledger = opening.open(concepts)
    with recording(as_json=as_json, of=ledger) as bars:
        done = ledger.revert(
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
    answer(row if as_json else None, lambda: say_reverted(ledger, done, concept or ()))


@app.command()
@with_blocks
def compose(
    rev: Annotated[
        list[str], typer.Argument(help="Branches, ids, or FOLDER@REV of other ledgers.")
    ],
    *,
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
    opening: OpeningOptions,
    as_json: JsonOption = False,
) -> None:
    """Do in this branch what other branches or ledgers did, and measure it."""
    ledger = opening.open(concepts)
    with recording(as_json=as_json, of=ledger) as bars:
        done = ledger.compose(
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
    answer(row if as_json else None, lambda: say_composed(ledger, done))
