"""The session of a command: its ledger, the loaded model, the known concepts."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from unlearnlog.atelier.bundled_model import SOURCE
from unlearnlog.atelier.canvas import SIZE
from unlearnlog.atelier.styles import STYLES
from unlearnlog.atelier.subjects import SUBJECTS
from unlearnlog.commands.retry import patiently
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.active import live_concepts
from unlearnlog.core.delta import Delta, Weights, state_digest
from unlearnlog.core.digest import Digest, canonical_json
from unlearnlog.core.entry import Entry, EntryId
from unlearnlog.core.provenance import versions
from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.core.recorded import note_down
from unlearnlog.core.work_cache import (
    KeyedLabelCache,
    KeyedTensorCache,
    MemoryLabelCache,
    NoTensorCache,
    TensorCache,
)
from unlearnlog.errors import LedgerError, Moved, NoLedger
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.workers.executor import HERE, Executor

if TYPE_CHECKING:
    from unlearnlog.core.concept import Concept
    from unlearnlog.probes.runner import ProbeRunner


@dataclass(frozen=True)
class Session:
    """A ledger, which may be still to be created, and its loaded model.

    Attributes:
        folder: The folder that holds ``.unlearnlog``.
        ledger: The ledger; None when ``add`` is to create it.
        model: The base, loaded.
        manifest: The base's manifest, with the name that the ledger uses for it.
        concepts: The concept file of the probes.
        pin: Head and branch at the command's start; None for those on disk.
        fresh: Whether to compute all again instead of reading caches.
        ranks: The processes that compute the command together.
        crew: Whoever computes the units of independent work.
    """

    folder: Path
    ledger: Repository | None
    model: DiffusersModel
    manifest: BaseManifest
    concepts: Path
    pin: tuple[EntryId | None, str] | None = None
    fresh: bool = False
    ranks: Ranks = field(default_factory=OneProcess)
    crew: Executor = HERE

    @property
    def is_bundled(self) -> bool:
        """Whether the model is the bundled one."""
        return self.manifest.source == SOURCE

    @property
    def is_of_atelier(self) -> bool:
        """Whether the model has the bundled concepts, as its fine-tunes do."""
        known = ConceptSet.read(self.concepts).concepts
        drawn = all(name in STYLES or name in SUBJECTS for name in known)
        return drawn and self.model.picture_shape == (SIZE, SIZE, 3)

    @property
    def head(self) -> EntryId | None:
        """The newest entry, or the pinned one; None on the base."""
        if self.pin is not None:
            return self.pin[0]
        return self.ledger.head if self.ledger else None

    @property
    def shelf(self) -> TensorCache:
        """The cache of tensors; an empty one before there is a ledger."""
        shelf = self.ledger.shelf if self.ledger else NoTensorCache()
        return KeyedTensorCache(shelf, self.about, self.fresh)

    @cached_property
    def notebook(self) -> KeyedLabelCache:
        """The cache of the judges' answers."""
        kept = self.ledger.notebook if self.ledger else MemoryLabelCache()
        return KeyedLabelCache(kept, self.about, self.fresh)

    @cached_property
    def about(self) -> str:
        """All inputs that cached work depends on, as canonical JSON.

        The last bits depend on the processor, the threads and the libraries.
        """
        capability = torch.backends.cpu.get_cpu_capability()
        not_content = {"source", "tensors"}  # their root stands for the tensors
        inputs = {
            "base": self.manifest.model_dump(mode="json", exclude=not_content),
            "computed": self.model.computes,
            "processor": f"{platform.machine()} {capability}",
            "threads": torch.get_num_threads(),
            "versions": versions(),
        }
        return canonical_json(inputs).decode()

    def seen_by(self, panel: ProbeRunner) -> ProbeRunner:
        """Return the runner of the probes; a dry session replaces its judge."""
        return panel

    def pinned(self) -> Session:
        """Return the session with its head fixed, without entries recorded later."""
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
        """Return the session at the newest entry of the same branch.

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
            entry: The entry.
            deltas: Its deltas that are not in the ledger yet.
            attacks: The tensors of its attacks.
            under: An entry staged on the head, which is recorded before it.

        Raises:
            Moved: Another command recorded an entry in the meantime.
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
        """Create the ledger that did not exist when the command began.

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
        """The concepts of the file, and those of the history."""
        erased = [c for _, entry in self.history() for c in entry.concepts]
        known = ConceptSet.read(self.concepts).knowing(erased)
        return replace(known, tokens=self.model.added_tokens)

    def book(self, concepts: Sequence[Concept] = ()) -> PromptBook:
        """Return the prompts of the known concepts and of these."""
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
        """Every text projection at a revision, and every other tensor that it changes.

        They are checked against the record.
        """
        if self.ledger is None:
            return self.model.base
        return self.ledger.weights(rev, self.model.base, fresh=self.fresh)

    def resolved(self, rev: str) -> EntryId | None:
        """Return the entry that a revision names; None for the base.

        Raises:
            NoLedger: There is no ledger.
            RevisionError: The revision names nothing or more than one entry.
        """
        return self.the_ledger().resolve(rev)

    def the_ledger(self) -> Repository:
        """Return the ledger.

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
    """Write answers to a ledger that were cached in memory before there was one."""
    if isinstance(notebook.notebook, MemoryLabelCache):
        for key, answers in notebook.notebook.pages.items():
            ledger.notebook.write(key, answers)
