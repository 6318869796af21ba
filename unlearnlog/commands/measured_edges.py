"""Edges by information: distances of concepts to the model, measured once per base.

Two styles, or two subjects, are near where the model is unsure which of them a picture
shows. The information of a style and a subject about one picture is decomposed. Both
are measured on the base's own pictures, painted without guidance; the losses are cached
in the ledger.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, product
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.concepts.templates import PROBING
from unlearnlog.core.digest import canonical_json
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.estimators import AT_ONCE, doubt
from unlearnlog.probes.information import N_LEVELS, PromptedPictures
from unlearnlog.probes.information_decomposition import atoms_of, losses_under, near

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.probes.statistics import Estimate

N_PICTURES: Final = 16
"""Pictures of each concept, and of each pair of a style and a subject."""

STEPS: Final = 20
"""Solver steps of a picture: without guidance fewer are visibly rough."""


@dataclass(frozen=True)
class EdgesRequest:
    """Concepts whose edges are measured.

    Attributes:
        names: Concepts and families; those of one kind are compared with each other,
            and each style is decomposed with each subject.
        pictures: Pictures per concept.
        watch: Receives the progress of the work.
    """

    names: tuple[str, ...]
    pictures: int = N_PICTURES
    watch: Progress = field(default_factory=NoProgress)


@dataclass(frozen=True)
class MeasuredEdge:
    """Measurements of two concepts.

    Attributes:
        one: A concept; in a decomposition, the style.
        other: Another; in a decomposition, the subject.
        type: ``information`` for two of a kind; ``decomposition`` for a style with a
            subject.
        numbers: ``weight``, the edge (a share), and ``apart``, by how many nats the
            pictures of both are better explained by their own prompts; or nats that are
            ``redundant``, only the ``style``'s, only the ``subject``'s, and
            ``synergy``. Each with ``_low`` and ``_high``, and ``n`` pictures.
    """

    one: str
    other: str
    type: str
    numbers: Mapping[str, float]


def chosen(world: ConceptSet, named: Sequence[str]) -> tuple[str, ...]:
    """Return the concepts of names: a family's members, or a concept.

    A single concept stands for itself and the concepts near it.

    Raises:
        ConceptError: There is no such concept or family.
        UsageError: A single concept is named, and no other is near it.
    """
    found: dict[str, None] = {}
    for name in named:
        found |= dict.fromkeys(world.members(name))
    if len(found) == 1:
        near_it = world.near(*found)
        found |= dict.fromkeys(name for name in world.concepts if name in near_it)
    if len(found) < 2:
        raise UsageError(
            f"'{', '.join(named)}' is one concept, and an edge needs two",
            fix="name another one as well: --concept NAME --concept OTHER",
        )
    return tuple(found)


def measured_edges(at: Session, request: EdgesRequest) -> tuple[MeasuredEdge, ...]:
    """Measure the edges between every two of the named concepts on the base.

    With k concepts of a kind and n pictures each this paints k n pictures and takes 10
    k^2 n predictions; a style and a subject cost n pictures and 40 n predictions.

    Raises:
        ConceptError: There is no such concept or family.
        ModelError: The model predicts no posterior mean.
        UsageError: There are fewer than two concepts, or fewer than two pictures.
    """
    if at.model.no_nats:
        raise ModelError(
            f"no edge can be measured with {at.manifest.source}: {at.model.no_nats}, "
            "so its errors are no likelihoods",
            fix="leave --informed out, or ask the model that it was distilled from",
        )
    if request.pictures < 2:
        raise UsageError(
            f"{request.pictures} pictures are too few for an interval",
            fix="give 2 or more",
        )
    book = at.book()
    names = chosen(book.world, request.names)
    measurer = _EdgeMeasurer(at, book, request)
    styles = [name for name in names if book.world.concepts[name].kind == "style"]
    others = [name for name in names if name not in styles]
    found = [*measurer.edges(styles), *measurer.edges(others)]
    return (*found, *measurer.decompositions([*product(styles, others)]))


@dataclass(frozen=True)
class _EdgeMeasurer:
    """Losses of pictures under prompts, read from the cache or measured."""

    at: Session
    book: PromptBook
    request: EdgesRequest

    def edges(self, names: Sequence[str]) -> Iterator[MeasuredEdge]:
        """Yield the edge between every two concepts of a kind."""
        cells = {name: self.cells(name) for name in names}
        known = {
            (one, other): self.known(cells[one], cells[other])
            for one, other in combinations(names, 2)
        }
        missing = [pair for pair, nats in known.items() if nats is None]
        wanted = [name for name in names if any(name in pair for pair in missing)]
        pictures = self.painted([cells[name] for name in wanted])
        self.begin("measuring edges", 2 * len(missing))
        half: dict[tuple[str, str], torch.Tensor] = {}
        for name, own in zip(wanted, pictures, strict=True):
            others = [a if b == name else b for a, b in missing if name in (a, b)]
            half |= self.losses(name, own, {each: cells[each] for each in others})
            for one, other in missing:
                if name == other:  # names are in order, so both halves are there
                    both = torch.cat([half[one, other], half[other, one]])
                    known[one, other] = both
                    self.keep(both, cells[one], cells[other])
            self.request.watch.advance(len(others), {})
        for (one, other), nats in known.items():
            assert nats is not None
            yield _edge(one, other, nats, (cells[one], cells[other]))

    def losses(
        self,
        name: str,
        own: PromptedPictures,
        others: Mapping[str, tuple[ProbeCase, ...]],
    ) -> dict[tuple[str, str], torch.Tensor]:
        """Return losses of a concept's pictures, under its own and other prompts.

        Returns:
            By pair, ``[2, n]``: under its own prompts, and under those of the other.
        """
        columns = [[c.prompt for c in cells] for cells in (own.cells, *others.values())]
        nats = losses_under(self.at.model, own, list(zip(*columns, strict=True)))
        return {
            (name, other): torch.stack([nats[0], nats[i]])
            for i, other in enumerate(others, 1)
        }

    def decompositions(
        self, pairs: Sequence[tuple[str, str]]
    ) -> Iterator[MeasuredEdge]:
        """Yield the decomposition of each style and subject, from pictures of both."""
        cells = {pair: self.cells_of_both(*pair) for pair in pairs}
        known = {pair: self.known(each) for pair, each in cells.items()}
        missing = [pair for pair, nats in known.items() if nats is None]
        pictures = self.painted([cells[pair] for pair in missing])
        self.begin("decomposing style x subject", len(missing))
        for pair, both in zip(missing, pictures, strict=True):
            texts = self.alone(both.cells, *pair)
            found = losses_under(self.at.model, both, texts)
            known[pair] = found
            self.keep(found, both.cells)
            self.request.watch.advance(1, {})
        for pair, nats in known.items():
            assert nats is not None
            yield _decomposition(*pair, nats, cells[pair])

    def cells(self, name: str) -> tuple[ProbeCase, ...]:
        """Return the cells of a concept, each of its prompts in turn.

        The cells of two concepts of a kind differ in nothing but the name.
        """
        concept, n = self.book.world.concepts[name], self.request.pictures
        per_cell = -(-n // len(self.book.erased(concept, 1)))
        return self.book.erased(concept, per_cell)[:n]

    def cells_of_both(self, style: str, subject: str) -> tuple[ProbeCase, ...]:
        """Return the cells of a style with a subject."""
        hand = self.book.world.concepts[style]
        cells = self.book.erased(hand, self.request.pictures)
        return tuple(cell for cell in cells if cell.subject == subject)

    def alone(
        self, cells: Sequence[ProbeCase], style: str, subject: str
    ) -> list[tuple[str, str, str, str]]:
        """Return prompts with both, the style alone, the subject alone, and neither."""
        world = self.book.world
        without_style = self.book.information(cells, world.concepts[style])
        without_subject = self.book.information(cells, world.concepts[subject])
        return [
            (
                cell.prompt,
                hand.context,
                thing.context,
                PROBING[cell.seed % len(PROBING)].neither,
            )
            for cell, hand, thing in zip(
                cells, without_subject, without_style, strict=True
            )
        ]

    def painted(
        self, samples: Sequence[tuple[ProbeCase, ...]]
    ) -> list[PromptedPictures]:
        """Return pictures of the base, painted or from the cache."""
        found: list[PromptedPictures] = []
        self.begin("painting without guidance", sum(map(len, samples)))
        for cells in samples:
            key = self._key("pictures", cells)
            latents = self.at.shelf.get(key)
            if latents is None:
                latents = torch.cat([*self._painted(cells)])
                self.at.shelf.put(key, latents)
            else:
                self.request.watch.advance(len(cells), {})
            found.append(PromptedPictures(cells, latents))
        return found

    def _painted(self, cells: tuple[ProbeCase, ...]) -> Iterator[torch.Tensor]:
        sampling = Sampling(STEPS, 1.0)
        for begin in range(0, len(cells), AT_ONCE):
            some = cells[begin : begin + AT_ONCE]
            texts, seeds = [c.prompt for c in some], [c.seed for c in some]
            yield self.at.model.paint(texts, seeds, sampling=sampling).latents
            self.request.watch.advance(len(some), {})

    def begin(self, stage: str, total: int) -> None:
        """Report the beginning of a stage, if it has any work."""
        if total:
            self.request.watch.stage(stage, total)

    def known(self, *cells: tuple[ProbeCase, ...]) -> torch.Tensor | None:
        """Return the cached losses of these pictures, ``[4, n]``, or None."""
        found = self.at.shelf.get(self._key("losses", *cells))
        fits = found is not None and found.shape == (4, len(cells[0]))
        return found if fits else None

    def keep(self, nats: torch.Tensor, *cells: tuple[ProbeCase, ...]) -> None:
        """Cache the losses of these pictures."""
        self.at.shelf.put(self._key("losses", *cells), nats)

    def _key(self, what: str, *cells: Iterable[ProbeCase]) -> str:
        """Return all inputs of a tensor: base, settings, prompts, seeds."""
        model, manifest = self.at.model, self.at.manifest
        how = ["information", what, manifest.root, model.computes, STEPS, N_LEVELS]
        pictures = [[[c.prompt, c.seed] for c in each] for each in cells]
        return canonical_json([*how, pictures]).decode()


def _edge(
    one: str, other: str, nats: torch.Tensor, cells: tuple[tuple[ProbeCase, ...], ...]
) -> MeasuredEdge:
    """Return the edge from losses ``[4, n]``: own and other prompts of each."""
    nothing = torch.empty(0)
    both = PromptedPictures(cells[0], nothing), PromptedPictures(cells[1], nothing)
    share = near(doubt(nats[0], nats[1]), doubt(nats[2], nats[3]), both)
    apart = near(nats[1] - nats[0], nats[3] - nats[2], both)
    numbers = {**_numbers("weight", share), **_numbers("apart", apart)}
    return MeasuredEdge(one, other, "information", {**numbers, "n": float(share.n)})


def _decomposition(
    style: str, subject: str, nats: torch.Tensor, cells: tuple[ProbeCase, ...]
) -> MeasuredEdge:
    """Return the decomposition of a style and a subject, from losses ``[4, n]``."""
    atoms = atoms_of(nats, PromptedPictures(cells, torch.empty(0)))
    numbers = {"n": float(len(cells))}
    for key, estimate in (
        ("redundant", atoms.redundant),
        ("style", atoms.first),
        ("subject", atoms.second),
        ("synergy", atoms.synergy),
    ):
        numbers |= _numbers(key, estimate)
    return MeasuredEdge(style, subject, "decomposition", numbers)


def _numbers(key: str, estimate: Estimate) -> dict[str, float]:
    ends = {f"{key}_low": estimate.low, f"{key}_high": estimate.high}
    return {key: estimate.value, **ends}
