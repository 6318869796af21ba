"""A place where a command is gone through without being carried out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from unlearnlog.commands.counting import (
    CountingJudge,
    CountingModel,
    WorkCount,
    another,
)
from unlearnlog.commands.session import Session
from unlearnlog.core.work_cache import KeyedLabelCache, MemoryLabelCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.probe_case import Answer
    from unlearnlog.core.work_cache import LabelCache, Picture, TensorCache
    from unlearnlog.probes.runner import ProbeRunner

History = tuple[tuple["EntryId", "Entry"], ...]


@dataclass(frozen=True)
class DrySession(Session):
    """A place whose model and judge only count; nothing is written into its ledger.

    What was seen before is read, so that only what would be painted is counted.

    Attributes:
        tally: Where it is counted.
        upon: The history that it is in; None for the ledger's.
    """

    tally: WorkCount = field(default_factory=WorkCount)
    upon: History | None = None

    @classmethod
    def of(cls, at: Session, tally: WorkCount) -> Self:
        """Rehearse in a place."""
        model: Any = CountingModel(at.model, tally)
        known = {each.name: getattr(at, each.name) for each in fields(Session)}
        return cls(**{**known, "model": model}, tally=tally)

    @property
    def shelf(self) -> TensorCache:
        """What the ledger's shelf holds; what is put there is gone."""
        return _ReadOnly(super().shelf)

    @cached_property
    def notebook(self) -> KeyedLabelCache:
        """What the ledger's notebook says, and what is written down meanwhile."""
        kept = self.ledger.notebook if self.ledger else MemoryLabelCache()
        return KeyedLabelCache(_Overlaid(kept), self.about, self.fresh)

    def seen_by(self, panel: ProbeRunner) -> ProbeRunner:
        """Return the panel with a judge that only counts."""
        judge = panel.judge
        return replace(panel, judge=judge and CountingJudge(judge, self.tally))

    def history(self) -> list[tuple[EntryId, Entry]]:
        """Every entry that the command would find, oldest first."""
        return super().history() if self.upon is None else [*self.upon]

    def weights(self, rev: EntryId | None) -> Weights:
        """Every text projection at a revision; nobody's where it is not made yet."""
        if self.upon is None:
            return super().weights(rev)
        made = [entry_id for entry_id, _ in self.upon]
        n = made.index(rev) + 1 if rev in made else 0
        base = self.model.base
        return {**base, **another(base, n)} if n else base


class _ReadOnly:
    """A shelf that nothing is put on."""

    def __init__(self, shelf: TensorCache) -> None:
        self._shelf = shelf

    def get(self, key: str) -> Tensor | None:
        """Return what is on the shelf."""
        return self._shelf.get(key)

    def put(self, key: str, tensor: Tensor) -> None:
        """Put nothing there."""


class _Overlaid:
    """A notebook that is read, and whose new pages are thrown away."""

    def __init__(self, notebook: LabelCache) -> None:
        self._notebook, self._new = notebook, MemoryLabelCache()

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key, here or there."""
        return {**self._notebook.read(key), **self._new.read(key)}

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers for as long as the command runs."""
        self._new.write(key, answers)
