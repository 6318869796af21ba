"""A place where a command is gone through without being carried out."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Self

from unlearnlog.run.place import Place
from unlearnlog.run.tally import Idle, IdleJudge, Tally, another
from unlearnlog.shelf import AboutNotebook, MemoryNotebook

if TYPE_CHECKING:
    from collections.abc import Mapping

    from torch import Tensor

    from unlearnlog.cell import Answer
    from unlearnlog.delta import Weights
    from unlearnlog.entry import Entry, EntryId
    from unlearnlog.probes.panel import Panel
    from unlearnlog.shelf import Notebook, Picture, Shelf

History = tuple[tuple["EntryId", "Entry"], ...]


@dataclass(frozen=True)
class Rehearsal(Place):
    """A place whose model and judge only count; nothing is written into its ledger.

    What was seen before is read, so that only what would be painted is counted.

    Attributes:
        tally: Where it is counted.
        upon: The history that it is in; None for the ledger's.
    """

    tally: Tally = field(default_factory=Tally)
    upon: History | None = None

    @classmethod
    def of(cls, at: Place, tally: Tally) -> Self:
        """Rehearse in a place."""
        model: Any = Idle(at.model, tally)
        known = {each.name: getattr(at, each.name) for each in fields(Place)}
        return cls(**{**known, "model": model}, tally=tally)

    @property
    def shelf(self) -> Shelf:
        """What the ledger's shelf holds; what is put there is gone."""
        return _ReadOnly(super().shelf)

    @cached_property
    def notebook(self) -> AboutNotebook:
        """What the ledger's notebook says, and what is written down meanwhile."""
        kept = self.ledger.notebook if self.ledger else MemoryNotebook()
        return AboutNotebook(_Overlaid(kept), self.about, self.fresh)

    def seen_by(self, panel: Panel) -> Panel:
        """Return the panel with a judge that only counts."""
        judge = panel.judge
        return replace(panel, judge=judge and IdleJudge(judge, self.tally))

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

    def __init__(self, shelf: Shelf) -> None:
        self._shelf = shelf

    def get(self, key: str) -> Tensor | None:
        """Return what is on the shelf."""
        return self._shelf.get(key)

    def put(self, key: str, tensor: Tensor) -> None:
        """Put nothing there."""


class _Overlaid:
    """A notebook that is read, and whose new pages are thrown away."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook, self._new = notebook, MemoryNotebook()

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key, here or there."""
        return {**self._notebook.read(key), **self._new.read(key)}

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers for as long as the command runs."""
        self._new.write(key, answers)
