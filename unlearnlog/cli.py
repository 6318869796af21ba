"""The command line: parse, call, render, exit code. Nothing is computed here."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer
from rich.console import Console

from unlearnlog.errors import Interrupted, UnlearnlogError, UsageError

if TYPE_CHECKING:
    from unlearnlog.entry import Entry
    from unlearnlog.run.erase import Order
    from unlearnlog.run.place import Place

app = typer.Typer(
    help="Git for forgetting: erase concepts from a text-to-image model, and prove it.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
_out = Console()
_err = Console(stderr=True)

LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="Folder of the ledger; else found by looking up."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Data on standard output.")]
PolicyOption = Annotated[
    str, typer.Option("--policy", help="A policy that ships, or a path to a .toml.")
]
DeviceOption = Annotated[
    str, typer.Option("--device", help="Where to compute: cpu, cuda, mps.")
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="Of the UNet: float32, bfloat16, float16.")
]


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

    made = make(_start(ledger), model)
    facts = {
        "ledger": str(made.folder),
        "model": made.base.source,
        "base": made.base.root,
    }
    _show(facts if as_json else None, lambda: _facts(facts))


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
        _start(ledger), may_create=True, concepts=concepts, device=device, dtype=dtype
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
def log(ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """List what was erased, newest first, with its numbers."""
    from unlearnlog.ledger import Ledger
    from unlearnlog.report.terminal import log_table

    found = Ledger.find(_start(ledger))
    history = found.history(found.head)
    rows = [entry.row() for _, entry in history]
    _show(rows if as_json else None, lambda: _out.print(log_table(history, found.head)))


@app.command()
def show(
    rev: Annotated[
        str, typer.Argument(help="An id's beginning, HEAD, HEAD~2.")
    ] = "HEAD",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show one entry with every reading."""
    from unlearnlog.ledger import Ledger

    found = Ledger.find(_start(ledger))
    entry_id = found.resolve(rev)
    if entry_id is None:
        facts = {
            "revision": "base",
            "model": found.base.source,
            "base": found.base.root,
        }
        _show(facts if as_json else None, lambda: _facts(facts))
        return
    entry = found.entry(entry_id)
    _show(entry.row() if as_json else None, lambda: _entry(entry))


@app.command()
def status(ledger: LedgerOption = None, as_json: JsonOption = False) -> None:
    """Say where the ledger is, what it stands on and what is erased now."""
    from unlearnlog.ledger import Ledger
    from unlearnlog.run.place import live_concepts

    found = Ledger.find(_start(ledger))
    live = live_concepts(found.history(found.head))
    facts = {
        "ledger": str(found.folder),
        "model": found.base.source,
        "branch": found.branch,
        "head": found.head or "base",
        "state": found.state_digest(found.head),
        "erased": list(live) if as_json else ", ".join(live) or "nothing",
    }
    _show(
        facts if as_json else None,
        lambda: _facts({k: str(v) for k, v in facts.items()}),
    )


@app.command()
def reset(
    rev: Annotated[str, typer.Argument(help="Where to go: HEAD~1, base, an id.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move to another entry; nothing that was recorded is lost."""
    from unlearnlog.ledger import Ledger

    found = Ledger.find(_start(ledger))
    old = found.head
    new = found.reset(rev)
    facts = {"head": new or "base", "was": old or "base"}
    _show(facts if as_json else None, lambda: _facts(facts))


@app.command()
def checkout(
    rev: Annotated[str, typer.Argument(help="Which revision: HEAD, base, an id.")],
    output: Annotated[Path, typer.Option("-o", "--output", help="A new folder.")],
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the model of a revision as a plain diffusers folder."""
    from unlearnlog.run import look
    from unlearnlog.run.place import place

    look.checkout(place(_start(ledger)), rev, output)
    facts = {"revision": rev, "folder": str(output)}
    _show(facts if as_json else None, lambda: _facts(facts))


@app.command()
def paint(
    prompt: Annotated[str, typer.Argument(help='Such as "a painting by Picasso".')],
    output: Annotated[Path, typer.Option("-o", "--output", help="A PNG to write.")],
    at: Annotated[
        list[str] | None, typer.Option("--at", help="A revision; may be repeated.")
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, max=64, help="Pictures a row.")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the first one.")] = 0,
    policy: PolicyOption = "default",
    ledger: LedgerOption = None,
    as_json: JsonOption = False,
) -> None:
    """Paint a prompt at one or more revisions, from the same latents."""
    from unlearnlog.policy import Policy
    from unlearnlog.report.montage import montage, save
    from unlearnlog.run import look
    from unlearnlog.run.place import place

    revs, seeds = at or ["HEAD"], range(seed, seed + n)
    rules = Policy.load(policy)
    where = place(_start(ledger))
    rows = look.paint(where, prompt, revs, seeds=seeds, policy=rules)
    save(montage([row.pictures for row in rows], revs, prompt), output)
    facts = {"picture": str(output), "prompt": prompt, "at": revs, "seeds": list(seeds)}
    _show(facts if as_json else None, lambda: _facts({"picture": str(output)}))


@app.command()
def concepts(as_json: JsonOption = False) -> None:
    """List what the bundled model paints, and what is near what."""
    from unlearnlog.atelier.world import world
    from unlearnlog.report.terminal import fact_table

    seen = world()
    rows = [
        {
            "name": name,
            "kind": "style" if name in seen.styles else "subject",
            "parent": seen.parent(name),
            "look_alike": seen.look_alike(name),
            "aliases": list(seen.concepts[name].aliases),
        }
        for name in (*seen.styles, *seen.subjects)
    ]
    facts = {name: ", ".join(seen.shown(name)) for name in seen.families}
    _show(rows if as_json else None, lambda: _out.print(fact_table(facts)))


def main() -> None:
    """Run the command line; every error of ours ends here, with its exit code."""
    try:
        code = app(standalone_mode=False)
    except UnlearnlogError as error:
        _fail(error)
    except (KeyboardInterrupt, typer.Abort):
        code = Interrupted.exit_code
    except Exception as error:
        if not hasattr(error, "format_message"):
            raise
        _err.print(error.format_message(), style="red", highlight=False)
        _err.print("  fix: unlearnlog --help", highlight=False)
        sys.exit(2)
    # Typer turns Ctrl-C in a command into this code, and returns it.
    if code == Interrupted.exit_code:
        _fail(Interrupted("interrupted: nothing was recorded", fix="run it again"))
    sys.exit(code or 0)


def _fail(error: UnlearnlogError) -> NoReturn:
    _err.print(error.message, style="red", highlight=False, soft_wrap=True)
    _err.print(f"  fix: {error.fix}", highlight=False, soft_wrap=True)
    sys.exit(error.exit_code)


def _start(ledger: Path | None) -> Path:
    return (ledger or Path()).absolute()


def _show(data: object, otherwise: Callable[[], None]) -> None:
    """Write data as one line of JSON, or let ``otherwise`` speak when there is none."""
    if data is None:
        otherwise()
    else:
        typer.echo(json.dumps(data, ensure_ascii=False))


def _facts(facts: Mapping[str, str]) -> None:
    from unlearnlog.report.terminal import fact_table

    _out.print(fact_table(facts))


def _add(at: Place, order: Order, *, as_json: bool) -> None:
    """Carry out an order, and say what came of it."""
    from unlearnlog.report.terminal import Bars, readings_table
    from unlearnlog.run import erase

    if at.ledger is None:
        _err.print(
            f"no ledger yet: creating one in {at.folder} for the bundled model atelier "
            "(for another: unlearnlog init --model PATH)",
            soft_wrap=True,
            highlight=False,
        )
    with Bars(_err) as bars:
        outcome = erase.add(at, replace(order, watch=bars))
    entry = outcome.entry
    row = {**entry.row(), "created": outcome.created}
    _show(row if as_json else None, lambda: _out.print(readings_table(entry.readings)))
    if not entry.verdict.passed:
        erase.refuse(outcome)
    if not as_json:
        names = ", ".join(c.name for c in entry.concepts)
        _out.print(
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
    _show(asdict(found) if as_json else None, lambda: _facts(facts))


def _entry(entry: Entry) -> None:
    from unlearnlog.report.terminal import readings_table

    settings = ", ".join(f"{k}={v}" for k, v in entry.eraser.settings.items())
    _facts(
        {
            "entry": entry.id,
            "parent": entry.parent or "base",
            "concepts": ", ".join(c.name for c in entry.concepts),
            "eraser": f"{entry.eraser.name} ({settings})",
            "policy": entry.policy,
            "state": f"{entry.state.before[:12]} -> {entry.state.after[:12]}",
            "delta": f"{entry.delta.n_bytes} bytes" if entry.delta else "none",
            "took": f"{entry.seconds:.0f} s",
        }
    )
    _out.print(readings_table(entry.readings))
