"""The options that commands share, and blocks of options that are declared once."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from unlearnlog.cli.dry_run_option import DryRunOptions, say_first

if TYPE_CHECKING:
    from unlearnlog.api import Ledger

RevArgument = Annotated[str, typer.Argument(help="An id's beginning, HEAD, HEAD~2.")]
StateArgument = Annotated[
    str, typer.Argument(help="Which revision: HEAD, base, an id.")
]
LedgerOption = Annotated[
    Path | None,
    typer.Option("--ledger", help="Folder of the ledger; else found by looking up."),
]
NewFolderOption = Annotated[Path, typer.Option("-o", "--output", help="A new folder.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Data on standard output.")]
PolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        help="A policy that ships, or a path to a .toml. Else: config, or default.",
    ),
]
"""For commands that begin anew."""

SamePolicyOption = Annotated[
    str,
    typer.Option(
        "--policy",
        help="A policy that ships, or a path to a .toml. Else: config, or as the "
        "newest entry was judged.",
    ),
]
"""For commands about a revision."""

ConceptsOption = Annotated[
    Path | None,
    typer.Option(
        "--concepts",
        help="A .toml file of concepts. Else: config, or what suits the model.",
    ),
]
JudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="auto, base, none, nudenet, a CLIP folder, hf:FOLDER of a classifier, or "
        "a plug-in. Else: config, or the policy's.",
    ),
]
SeeingJudgeOption = Annotated[
    str,
    typer.Option(
        "--judge",
        help="auto, base, nudenet, a CLIP folder, hf:FOLDER of a classifier, or a "
        "plug-in. Else: config, or the policy's.",
    ),
]
"""For commands that need a judge."""

KindOption = Annotated[
    str, typer.Option("--kind", help="What a name is that no file knows.")
]
AcceptUndecidedOption = Annotated[
    bool, typer.Option("--accept-undecided", help="Record it all the same.")
]
MessageOption = Annotated[
    str, typer.Option("-m", "--message", help="Why; kept with the entry.")
]
RefOption = Annotated[
    str, typer.Option("--ref", help="What asks for it: a ticket, a letter.")
]
DeviceOption = Annotated[
    str,
    typer.Option(
        "--device",
        help="Where to compute: cpu, cuda, mps. Else: UNLEARNLOG_DEVICE, config, or "
        "cpu.",
    ),
]
DtypeOption = Annotated[
    str,
    typer.Option(
        "--dtype",
        help="Of the network: float32, bfloat16, float16. Else: UNLEARNLOG_DTYPE, "
        "config, or float32.",
    ),
]
OffloadOption = Annotated[
    bool,
    typer.Option(
        "--offload",
        help="Load each text encoder only while it is used: slower, less memory.",
    ),
]
BaseOption = Annotated[
    Path | None,
    typer.Option(
        "--base",
        help="Where the ledger's base is. Else: UNLEARNLOG_BASE, config, or where it "
        "was.",
    ),
]
SignersOption = Annotated[
    Path | None,
    typer.Option(
        "--signers", help="A file of allowed signers, as git has it. Else: config."
    ),
]
ModelKeyOption = Annotated[
    Path | None,
    typer.Option("--sign", help="An elliptic-curve key, PEM, that signs the folder."),
]
WorkersOption = Annotated[
    str,
    typer.Option(
        "--workers",
        help="Who computes: none, a number of workers, ray, or ray://HOST:PORT. Else: "
        "UNLEARNLOG_WORKERS, config, or this process.",
    ),
]


PromptsOption = Annotated[
    Path | None,
    typer.Option(
        "--prompts", help="A .csv, .tsv, .json, .jsonl or .txt of prompts to paint."
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A .csv of many, erased at once: name, kind, anchor, aliases."
    ),
]
RowsOption = Annotated[
    int, typer.Option("--rows", min=0, help="So many of its rows. Else: all.")
]


def opened(folder: Path | None, *, base: Path | None = None) -> Ledger:
    """Return the ledger of a folder, for commands that compute no picture.

    Raises:
        NoLedger: Neither the folder nor one above it has a ledger.
    """
    from unlearnlog.api import Ledger

    return _in_force(Ledger.open(folder or Path(), base=base))


def _in_force(ledger: Ledger) -> Ledger:
    """Return a ledger, after its redactions are put in force for all that is shown."""
    from unlearnlog.core.redaction import put_in_force

    put_in_force(ledger.redaction)
    return ledger


@dataclass(frozen=True)
class OpeningOptions:
    """The block of options that opens a ledger for work with its model."""

    device: DeviceOption = ""
    dtype: DtypeOption = ""
    offload: OffloadOption = False
    workers: WorkersOption = ""
    base: BaseOption = None
    ledger: LedgerOption = None

    def given(self) -> dict[str, object]:
        """Return the value of each option, as it is typed; false where it is not."""
        return {f"--{each.name}": getattr(self, each.name) for each in fields(self)}

    def open(
        self,
        concepts: Path | None = None,
        *,
        may_create: bool = False,
        forecast: DryRunOptions | None = None,
    ) -> Ledger:
        """Return the ledger; its model is loaded on first use.

        Args:
            concepts: The file of ``--concepts``.
            may_create: Whether the command may create a ledger.
            forecast: A dry run is announced first.

        Raises:
            NoLedger: There is no ledger, and ``may_create`` is False.
            UsageError: A price is given that is none.
        """
        from unlearnlog.api import Ledger

        if forecast is not None:
            forecast.check()
        if forecast is not None and forecast.dry_run:
            say_first()
        return _in_force(
            Ledger.open(
                self.ledger or Path(),
                may_create=may_create,
                concepts=concepts,
                device=self.device,
                dtype=self.dtype,
                offload=self.offload,
                base=self.base,
                workers=self.workers,
            )
        )


def with_blocks(function: Callable[..., None]) -> Callable[..., None]:
    """Return a command with an option for each field of its blocks.

    Typer has no groups of options. A parameter that is annotated with a dataclass is a
    block: its fields take its place in the command's signature, in their order, and
    the function receives them as one value.
    """
    parameters = inspect.signature(function, eval_str=True).parameters.values()
    blocks = {p.name: p.annotation for p in parameters if _is_block(p.annotation)}
    options = [each for p in parameters for each in _options(p)]

    @wraps(function)
    def command(**typed: Any) -> None:  # noqa: ANN401 - the values of any options
        for name, block in blocks.items():
            names = [field.name for field in fields(block)]
            typed[name] = block(**{each: typed.pop(each) for each in names})
        function(**typed)

    command.__annotations__ = {p.name: p.annotation for p in options}
    vars(command)["__signature__"] = inspect.Signature(options)
    return command


def _is_block(annotation: object) -> bool:
    """Return whether a parameter's annotation is a dataclass of options."""
    return isinstance(annotation, type) and is_dataclass(annotation)


def _options(parameter: inspect.Parameter) -> Iterator[inspect.Parameter]:
    """Yield the fields of a block, or the parameter itself; all keyword-only."""
    found = {parameter.name: parameter}
    if _is_block(parameter.annotation):
        found = {**inspect.signature(parameter.annotation, eval_str=True).parameters}
    for each in found.values():
        yield each.replace(kind=inspect.Parameter.KEYWORD_ONLY)
