"""A session that runs a command without carrying it out."""

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
from unlearnlog.core.work_cache import KeyedLabelCache, MemoryLabelCache, NoTensorCache

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
    """A session with a counting model and judge; nothing is written to its ledger.

    Cached work is read, so that only work that would be done is counted.

    Attributes:
        tally: The counts.
        upon: A history that replaces the ledger's; None for the ledger's.
    """

    tally: WorkCount = field(default_factory=WorkCount)
    upon: History | None = None

    @classmethod
    def of(cls, at: Session, tally: WorkCount) -> Self:
        """Return a dry copy of a session."""
        model: Any = CountingModel(at.model, tally)
        known = {each.name: getattr(at, each.name) for each in fields(Session)}
        return cls(**{**known, "model": model}, tally=tally)

    @property
    def shelf(self) -> TensorCache:
        """The ledger's tensor cache, without its writes."""
        return _ReadOnly(super().shelf)

    @cached_property
    def notebook(self) -> KeyedLabelCache:
        """The ledger's answers, and those of this run, which are not written."""
        kept = super().notebook
        return replace(kept, notebook=_Overlaid(kept.notebook))

    def seen_by(self, panel: ProbeRunner) -> ProbeRunner:
        """Return the runner with a judge that only counts."""
        judge = panel.judge
        return replace(panel, judge=judge and CountingJudge(judge, self.tally))

    def history(self) -> list[tuple[EntryId, Entry]]:
        """Return every entry that the command would read, oldest first."""
        return super().history() if self.upon is None else [*self.upon]

    def weights(self, rev: EntryId | None) -> Weights:
        """Return every text projection at a revision; blanks for an unmade entry."""
        if self.upon is None:
            return super().weights(rev)
        made = [entry_id for entry_id, _ in self.upon]
        n = made.index(rev) + 1 if rev in made else 0
        base = self.model.base
        return {**base, **another(base, n)} if n else base


class _ReadOnly(NoTensorCache):
    """A tensor cache without its writes."""

    def __init__(self, shelf: TensorCache) -> None:
        self._shelf = shelf

    def get(self, key: str) -> Tensor | None:
        """Return the cached tensor, or None."""
        return self._shelf.get(key)


class _Overlaid:
    """A label cache that is read, and whose new answers are kept in memory."""

    def __init__(self, notebook: LabelCache) -> None:
        self._notebook, self._new = notebook, MemoryLabelCache()

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return the answers under a key, of the cache and of this run."""
        return {**self._notebook.read(key), **self._new.read(key)}

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Keep answers until the command ends."""
        self._new.write(key, answers)
