"""Where a command works: the ledger, the model it is about, the concepts it knows."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.atelier.bundled_model import FOLDER, SOURCE
from unlearnlog.atelier.canvas import SIZE
from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.commands.base_location import recorded, verified, whereabouts
from unlearnlog.commands.checks import suited
from unlearnlog.commands.defaults import configured
from unlearnlog.commands.recorded import note_down
from unlearnlog.commands.retry import patiently
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core import devices
from unlearnlog.core.active import live_concepts
from unlearnlog.core.delta import Delta, Weights, state_digest
from unlearnlog.core.digest import Digest, canonical_json
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.provenance import versions
from unlearnlog.core.work_cache import (
    KeyedLabelCache,
    KeyedTensorCache,
    MemoryLabelCache,
    NoTensorCache,
    TensorCache,
)
from unlearnlog.errors import LedgerError, Moved, NoLedger, UsageError
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.hub import located
from unlearnlog.models.meta_trial import check_computes

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.probes.runner import ProbeRunner

_ON_CPU: Final = "cpu"
DTYPES: Final = {name: getattr(torch, dtype) for name, dtype in devices.DTYPES.items()}


@dataclass(frozen=True)
class Session:
    """Where a ledger is or will be, and the model it is about.

    Attributes:
        folder: The folder that holds ``.unlearnlog``.
        ledger: The ledger; None when ``add`` is to create it.
        model: The base, loaded.
        manifest: What the base is made of, with the name the ledger calls it by.
        concepts: The file of concepts that probes look at.
        pin: Head and branch that a command began with; None to look at the disk.
        fresh: Whether all is computed again, whatever was computed before.
    """

    folder: Path
    ledger: Repository | None
    model: DiffusersModel
    manifest: BaseManifest
    concepts: Path
    pin: tuple[EntryId | None, str] | None = None
    fresh: bool = False

    @property
    def is_bundled(self) -> bool:
        """Whether the model is the one that ships."""
        return self.manifest.source == SOURCE

    @property
    def is_of_atelier(self) -> bool:
        """Whether it paints the bundled world, as a fine-tune of what ships does."""
        known = ConceptSet.read(self.concepts).concepts
        drawn = all(name in STYLES or name in SUBJECTS for name in known)
        return drawn and self.model.picture_shape == (SIZE, SIZE, 3)

    @property
    def head(self) -> EntryId | None:
        """The newest entry, or that which a command began with; None on the base."""
        if self.pin is not None:
            return self.pin[0]
        return self.ledger.head if self.ledger else None

    @property
    def shelf(self) -> TensorCache:
        """Where long work keeps what it has done; nowhere before there is a ledger."""
        shelf = self.ledger.shelf if self.ledger else NoTensorCache()
        return KeyedTensorCache(shelf, self.about, self.fresh)

    @cached_property
    def notebook(self) -> KeyedLabelCache:
        """Where answers of judges are written down."""
        kept = self.ledger.notebook if self.ledger else MemoryLabelCache()
        return KeyedLabelCache(kept, self.about, self.fresh)

    @cached_property
    def about(self) -> str:
        """Everything that whatever is computed here depends on, as canonical JSON.

        The last bits depend on the processor, on the threads and on the libraries.
        """
        capability = torch.backends.cpu.get_cpu_capability()
        not_content = {"source", "tensors"}  # their root stands for the tensors
        said = {
            "base": self.manifest.model_dump(mode="json", exclude=not_content),
            "computed": self.model.computes,
            "processor": f"{platform.machine()} {capability}",
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }
        return canonical_json(said).decode()

    def seen_by(self, panel: ProbeRunner) -> ProbeRunner:
        """Return who looks at pictures here: the panel, where nobody rehearses."""
        return panel

    def pinned(self) -> Session:
        """Return the place as it is now: what others record meanwhile is not seen."""
        if self.ledger is None:
            return self
        return replace(self, pin=(self.ledger.head, self.ledger.branch))

    def at_rev(self, rev: str) -> Session:
        """Return the session with a revision of its ledger as head.

        Raises:
            NoLedger: There is no ledger.
            RevisionError: The revision names nothing or more than one entry.
        """
        return replace(self, pin=(self.resolved(rev), self.the_ledger().branch))

    @property
    def erased(self) -> dict[str, Concept]:
        """The concepts that are erased at the head, by name."""
        live = live_concepts(self.history())
        return {name: concept for name, (_, concept) in live.items()}

    def caught_up(self) -> Session:
        """Return the place with what others recorded since, on the same branch.

        Raises:
            WrongBase: A ledger was created here meanwhile, for another model.
        """
        ledger = self.ledger
        if ledger is None:
            ledger = Repository.open(self.folder)
            ledger.check_base(self.manifest)
            _hand_over(self.notebook, ledger)
        branch = self.pin[1] if self.pin else ledger.branch
        head = ledger.refs[f"heads/{branch}"]
        return replace(self, ledger=ledger, pin=(head, branch))

    def record(
        self,
        entry: Entry,
        *deltas: Delta,
        attacks: Sequence[Weights] = (),
        under: Entry | None = None,
    ) -> None:
        """Append an entry to the branch that the command began on.

        Args:
            entry: What is recorded.
            deltas: Those of its deltas that are not in the ledger yet.
            attacks: What its attacks found.
            under: An entry that was staged on the head, and comes along.

        Raises:
            Moved: Somebody else recorded something on it in the meantime.
            LockBusy: Another command holds the ledger for longer than a write takes.
        """
        ledger = self.ledger or self._created()
        branch = self.pin[1] if self.pin else None
        patiently(
            lambda: ledger.append(
                entry, *deltas, branch=branch, attacks=attacks, under=under
            )
        )
        note_down(entry.id)
        _hand_over(self.notebook, ledger)

    def _created(self) -> Repository:
        """Create the ledger that was not there when the command began.

        Raises:
            Moved: Another command has created it meanwhile.
        """
        try:
            return Repository.init(self.folder, self.manifest)
        except LedgerError as error:
            with suppress(NoLedger):
                Repository.open(self.folder)
                raise Moved(error.message, fix="run the same again, on it") from error
            raise

    @cached_property
    def world(self) -> ConceptSet:
        """The concepts of the file, and those that the history speaks of."""
        erased = [c for _, entry in self.history() for c in entry.concepts]
        known = ConceptSet.read(self.concepts).knowing(erased)
        return replace(known, tokens=self.model.added_tokens)

    def book(self, concepts: Sequence[Concept] = ()) -> PromptBook:
        """Return the prompts of the world, with these concepts in it."""
        return PromptBook(self.world.knowing(concepts))

    def history(self) -> list[tuple[EntryId, Entry]]:
        """Every entry up to the head, oldest first."""
        return self.ledger.history(self.head) if self.ledger else []

    def delta(self, digest: Digest) -> Delta:
        """Read one delta of the ledger."""
        return self.the_ledger().delta(digest)

    def change(self) -> Weights:
        """Return the exact change of the head's state, float64, by tensor."""
        return self.ledger.change(self.head, self.model.base) if self.ledger else {}

    def state_digest(self) -> Digest:
        """Digest of the head's state."""
        if self.ledger is None:
            return state_digest({}, self.manifest.root)
        return self.ledger.state_digest(self.head)

    def weights(self, rev: EntryId | None) -> Weights:
        """Every text projection as it is at a revision, checked against the record."""
        if self.ledger is None:
            return self.model.base
        return self.ledger.weights(rev, self.model.base, fresh=self.fresh)

    def resolved(self, rev: str) -> EntryId | None:
        """Return the entry that a revision names; None for the base.

        Raises:
            NoLedger: There is none, so there are no revisions.
            RevisionError: The revision names nothing or more than one entry.
        """
        return self.the_ledger().resolve(rev)

    def the_ledger(self) -> Repository:
        """Return the ledger, where nothing can be done without one.

        Raises:
            NoLedger: There is no ledger.
        """
        if self.ledger is None:
            raise NoLedger(
                f"there is no ledger in {self.folder}",
                fix='create one with: unlearnlog add "Picasso"',
            )
        return self.ledger


def _hand_over(notebook: KeyedLabelCache, ledger: Repository) -> None:
    """Write down in a ledger what was only remembered before there was one."""
    if isinstance(notebook.notebook, MemoryLabelCache):
        for key, answers in notebook.notebook.pages.items():
            ledger.notebook.write(key, answers)


def init(folder: Path, model: str) -> Repository:
    """Create a ledger for a model: ``atelier``, a diffusers folder, or a hub id.

    Raises:
        ModelError: The folder is no pipeline this tool knows.
        LedgerError: There is a ledger already.
    """
    loaded, manifest = _loaded(model, may_download=True)
    check_computes(loaded.folder)
    if manifest.is_path:
        source = recorded(Path(manifest.source), folder)
        manifest = manifest.model_copy(update={"source": source})
    return Repository.init(folder, manifest)


def open_session(
    start: Path,
    *,
    may_create: bool = False,
    concepts: Path | None = None,
    device: str = _ON_CPU,
    dtype: str = "float32",
    base: Path | None = None,
) -> Session:
    """Find the ledger of a folder and load the model it is bound to.

    Args:
        start: Where to begin to look upwards.
        may_create: Whether a folder without a ledger will do, for the bundled model.
        concepts: The file of concepts; None for the one that suits the model.
        device: Where the model computes.
        dtype: What its UNet computes in: float32, bfloat16 or float16.
        base: Where the base is; None to find it, see `whereabouts`.

    Raises:
        NoLedger: There is none, and ``may_create`` is False.
        WrongBase: The model is not the one the ledger was made for.
        ModelError: The base is not where it was, and nobody says where it is.
        UsageError: There is no ledger yet, but somebody says where its base is.
    """
    try:
        ledger = Repository.find(start)
    except NoLedger:
        if not may_create:
            raise
        ledger = None
    if ledger:
        where = whereabouts(ledger, base=base, config=configured(ledger))
        model, manifest = verified(
            ledger, where, lambda source: _loaded(source, device, dtype)
        )
    elif base is not None:
        raise UsageError(
            f"there is no ledger yet whose base could be in '{base}'",
            fix=f"create one: unlearnlog init --model '{base}'",
        )
    else:
        model, manifest = _loaded(SOURCE, device, dtype)
    folder = ledger.folder if ledger else start
    return Session(folder, ledger, model, manifest, concepts or suited(manifest.source))


def _loaded(
    source: str,
    device: str = _ON_CPU,
    dtype: str = "float32",
    *,
    may_download: bool = False,
) -> tuple[DiffusersModel, BaseManifest]:
    """Load a model; it is called by the name it was asked for by, where it has one."""
    devices.check_dtype(dtype)
    if source == SOURCE:
        model = bundled_model(device, dtype)
        return model, model.manifest.model_copy(update={"source": source})
    folder = located(source, may_download=may_download)
    model = DiffusersModel.load(folder, device=device, dtype=DTYPES[dtype])
    if not Path(source).exists():
        return model, model.manifest.model_copy(update={"source": source})
    return model, model.manifest


@cache
def bundled_model(device: str = _ON_CPU, dtype: str = "float32") -> DiffusersModel:
    """Return the model that ships, loaded once a process: nothing changes a model.

    It remembers the prompts that it encoded, so what opens several ledgers encodes
    the kept ones once.

    Args:
        device: Where it computes.
        dtype: What its UNet computes in, one of `DTYPES`.
    """
    return DiffusersModel.load(FOLDER, device=device, dtype=DTYPES[dtype])
