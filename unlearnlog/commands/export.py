"""``export``: a revision or its change as one file, measured again in that form."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.checkpoints.adapter_info import EXPORTED
from unlearnlog.checkpoints.export_formats import CHECKPOINT, check_format
from unlearnlog.checkpoints.export_metadata import ExportTitle, metadata_of, titled
from unlearnlog.commands.exported_content import Content, ExportedState
from unlearnlog.commands.factor_check import check_has_factors
from unlearnlog.commands.fidelity import Fidelity, compared
from unlearnlog.commands.output_path import check_is_free
from unlearnlog.core.active import live_concepts
from unlearnlog.core.digest import canonical_json
from unlearnlog.core.low_rank import Spectrum
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.errors import ExportError, UsageError
from unlearnlog.ledger.drafts import new_file
from unlearnlog.models.foreign_file import SafetensorsFile
from unlearnlog.models.tensor_file_writer import header_of, pieces_of
from unlearnlog.models.weight_file_names import SUFFIX

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.delta import Delta
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.patch import Patch
    from unlearnlog.policy import Policy

ENERGY: Final = 0.9999
"""Default share of each change's squared norm that an export keeps."""


@dataclass(frozen=True)
class ExportRequest:
    """Arguments of ``export``.

    Attributes:
        rev: The revision, as it was typed.
        path: The file to write.
        spelling: One of `export_formats.formats_of` the model; empty for its first.
        policy: Sample sizes, sampling settings, judge, and the share of the erasure
            that must be kept.
        energy: Share of each change's squared norm that is kept, in (0, 1].
        half: Whether a whole checkpoint is rounded to half precision.
        watch: Receives the progress of the work.
    """

    rev: str
    path: Path
    spelling: str
    policy: Policy
    energy: float = ENERGY
    half: bool = False
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class Exported:
    """Result of ``export``.

    Attributes:
        entry: The exported entry.
        spelling: The format.
        rank: Rank of every pair of factors; 0 for an exact format.
        energy: Share of the squared norm kept, of the change that lost most.
        n_bytes: Size of the file.
        n_tensors: Number of changed text projections.
        fidelity: Share of the erasures that is kept; None without a judge.
    """

    entry: EntryId
    spelling: str
    rank: int
    energy: float
    n_bytes: int
    n_tensors: int
    fidelity: Fidelity | None

    def __repr__(self) -> str:
        summary = f"rank {self.rank}, {self.n_tensors} tensors, {self.n_bytes} bytes"
        measured = "measured" if self.fidelity else "not measured"
        return f"<Exported {self.entry[:12]}: {summary}, {measured}>"

    def row(self) -> dict[str, Any]:
        """Return the fields as values for JSON."""
        return {
            "entry": self.entry,
            "rank": self.rank,
            "energy": self.energy,
            "bytes": self.n_bytes,
            "tensors": self.n_tensors,
            "measured": self.fidelity is not None,
            **(self.fidelity.row() if self.fidelity else {}),
        }


def export(at: Session, request: ExportRequest) -> Exported:
    """Write a revision or its change as one file, if enough of the erasure is kept.

    Raises:
        UsageError: The revision changes nothing, the format cannot hold the change, or
            the file cannot be written.
        ExportError: Too little of the erasure is kept; no file is written.
        DiskFull: The disk is full; no file is left.
    """
    _check_request(request)
    spelling = check_format(request.spelling, at.model.folder.family)
    _check_half(spelling, request)
    entry, ledger = at.resolved(request.rev), at.the_ledger()
    deltas = [ledger.delta(digest) for digest in ledger.plan(entry)]
    spectra = _spectra(deltas, request.watch)
    if entry is None or not spectra:
        raise UsageError(
            f"'{request.rev}' changes nothing: there is nothing to export",
            fix="name a revision with an erasure: unlearnlog log",
        )
    check_has_factors(spectra, at.manifest.tensors, spelling)
    state = ExportedState(at, entry, spelling, request.half)
    content = state.content(spectra, request.energy)
    header = header_of(content.tensors, _metadata(state, content, request))
    pieces = pieces_of(content.tensors, len(header))
    with (
        ledger.giving(request.path.parent),
        new_file(request.path, header, pieces=pieces) as unfinished,
    ):
        n_bytes = unfinished.stat().st_size
        fidelity = _measured(state, unfinished, request)
        _check_left(fidelity, request)
    sizes = content.rank, content.energy, n_bytes, len(spectra)
    return Exported(entry, spelling, *sizes, fidelity)


def _metadata(
    state: ExportedState, content: Content, request: ExportRequest
) -> dict[str, str]:
    """Return the metadata of the file, the same at every export of the revision."""
    at = state.at
    height, width, _ = at.model.picture_shape
    gone = tuple(live_concepts(at.the_ledger().history(state.entry)))
    title = ExportTitle(at.manifest.name, gone, (height, width))
    folder = at.model.folder
    kinds = metadata_of(state.kind, folder, state.spelling, rank=content.rank)
    about = {"base": at.manifest.root, "energy": request.energy, "entry": state.entry}
    own = {EXPORTED: canonical_json(about).decode()}
    return {**kinds, **titled(title), **own}


def _check_request(request: ExportRequest) -> None:
    """Refuse an energy outside (0, 1], and an unusable path."""
    if not 0 < request.energy <= 1:
        raise UsageError(
            f"the energy {request.energy:g} is outside (0, 1]",
            fix="give a number above 0 and at most 1, such as 0.9999",
        )
    if request.path.suffix != SUFFIX:
        raise UsageError(
            f"'{request.path.name}' is no file name that loaders accept for a LoRA",
            fix=f"give a name that ends with {SUFFIX}",
        )
    check_is_free(request.path)


def _check_half(spelling: str, request: ExportRequest) -> None:
    """Refuse half precision for a change, whose precision is its own."""
    if request.half and spelling != CHECKPOINT:
        raise UsageError(
            f"half precision is for a whole checkpoint, and the format is '{spelling}'",
            fix=f"leave out --half, or ask for --format {CHECKPOINT}",
        )


def _spectra(deltas: Sequence[Delta], watch: Progress) -> dict[str, Spectrum]:
    """Decompose the change of every changed tensor."""
    patches: dict[str, list[Patch]] = {}
    for delta in deltas:
        for name, patch in delta.patches.items():
            patches.setdefault(name, []).append(patch)
    watch.stage("decomposing the change", len(patches))
    found = {}
    for name in sorted(patches):
        found[name] = Spectrum.of(patches[name])
        watch.advance(1, {})
    return {name: each for name, each in found.items() if len(each.sizes)}


def _measured(
    state: ExportedState, file: Path, request: ExportRequest
) -> Fidelity | None:
    """Measure the file, as loaders read it, beside the state itself."""
    at = state.at
    try:
        loaded = state.loaded(SafetensorsFile.open(file))
    except ValueError as error:
        raise ExportError(
            f"a loader could not use the export: {error}",
            fix="nothing was written; take the whole model: unlearnlog checkout",
        ) from None
    live = live_concepts(at.the_ledger().history(state.entry))
    gone = [concept for _, concept in live.values()]
    states = at.weights(state.entry), {**at.model.base, **loaded}
    return compared(at, gone, states, request.policy, request.watch)


def _check_left(fidelity: Fidelity | None, request: ExportRequest) -> None:
    """Refuse an export that lost more than the policy allows."""
    least = request.policy.export.fidelity
    if fidelity is None or fidelity.value >= least:
        return
    bad = [
        f"{100 * left:.1f} % of {what}"
        for what, left in fidelity.shares()
        if left < least
    ]
    raise ExportError(
        f"too little is left at energy {request.energy:g}: {', '.join(bad)}; the "
        f"policy '{request.policy.name}' requires {100 * least:g} %",
        fix="nothing was written; keep more with --energy 1, or take the whole model: "
        "unlearnlog checkout",
    )
