"""Recorded attacks, repeated on a later state without a search."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from unlearnlog.audits.attacks.attack_evaluation import SamplerAndJudge
from unlearnlog.audits.attacks.attack_search import (
    AttackBudget,
    AttackPictures,
    AttackSearch,
    FoundAttack,
    names_of,
)
from unlearnlog.audits.attacks.attack_table import ATTACKS
from unlearnlog.commands.more_samples import enough
from unlearnlog.concepts.prompts import PER_CELL
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.runner import scattered
from unlearnlog.probes.statistics import share

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.attack_record import AttackRecord
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.entry import Entry, EntryId
    from unlearnlog.core.reading import Reading
    from unlearnlog.probes.runner import ProbeRunner


def attempts_on(
    history: Sequence[tuple[EntryId, Entry]], names: Collection[str]
) -> tuple[AttackRecord, ...]:
    """Return the newest attack of each kind on each of these concepts.

    Kinds that this version does not have are left out.
    """
    found: dict[tuple[str, str], AttackRecord] = {}
    for _, entry in history:
        for each in entry.attacks:
            if each.concept in names and each.attack in ATTACKS:
                found[each.concept, each.attack] = each
    return tuple(found.values())


@dataclass(frozen=True)
class AttackRerun:
    """Recorded attacks, to be repeated on a new state.

    Attributes:
        at: The session, with its ledger and model.
        panel: Paints and judges.
        book: The prompts of every concept.
        gone: Concepts erased earlier.
        beside: Names of the concepts erased in the new state; no picture shows them.
        n: Pictures for each attack, 0 for none.
    """

    at: Session
    panel: ProbeRunner
    book: PromptBook
    gone: tuple[Concept, ...]
    beside: frozenset[str]
    n: int

    def readings(self, new: Weights) -> tuple[Reading, ...]:
        """Repeat the attacks on a state.

        Args:
            new: Every text projection of the state.

        Returns:
            The share of pictures that show the concept, as ``attack.NAME``.

        Raises:
            IntegrityError: A recorded attack is missing or damaged.
        """
        if self.panel.judge is None or not self.n:
            return ()
        concepts = {concept.name: concept for concept in self.gone}
        tried = attempts_on(self.at.history(), concepts)
        return tuple(self._tried(t, concepts[t.concept], new) for t in tried)

    def _tried(self, attempt: AttackRecord, concept: Concept, new: Weights) -> Reading:
        assert self.panel.judge is not None
        model, watch = self.at.model, self.panel.watch
        tensors = self.at.the_ledger().attack(attempt.object)
        finding = FoundAttack(attempt.attack, names_of(concept), tensors)
        cells = scattered(
            enough(
                lambda n: self.book.alone(concept, n, self.beside), PER_CELL, self.n
            ),
            self.n,
        )
        sampler = SamplerAndJudge(self.panel.judge, self.panel.sampling)
        nothing = AttackPictures((), torch.zeros(0))
        state = AttackSearch(model, new, concept, nothing, AttackBudget(), watch=watch)
        hits = sampler.shown(state, finding, cells)
        about = About(f"attack.{attempt.attack}", concept.name, "lower")
        return reading(about, share(sum(hits), len(hits)))
