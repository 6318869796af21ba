"""What a state shows of what was erased in it, and of everything else."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from unlearnlog.graph.book import PER_CELL, Book
from unlearnlog.graph.network import hops, relations
from unlearnlog.live import live_concepts
from unlearnlog.probes import PROBES
from unlearnlog.probes.panel import Asked, Panel, Questions, scattered
from unlearnlog.probes.tiers import agreement
from unlearnlog.run.judging import panel_for
from unlearnlog.run.replay import Replay

if TYPE_CHECKING:
    from unlearnlog.cell import Cell
    from unlearnlog.concept import Concept
    from unlearnlog.delta import Weights
    from unlearnlog.policy import Policy
    from unlearnlog.prompt import Target
    from unlearnlog.reading import Reading
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


@dataclass(frozen=True)
class Look:
    """Who looks at what, and by whose rules.

    Attributes:
        policy: The rules.
        panel: Who looks.
        asked: What is looked at.
        book: The prompts of everything.
        again: Tries on a state what attacks on earlier concepts found.
    """

    policy: Policy
    panel: Panel
    asked: Asked
    book: Book
    again: Callable[[Weights], tuple[Reading, ...]]

    def readings(self, new: Weights) -> tuple[Reading, ...]:
        """Look at a state, and once more at what too few pictures speak against.

        Args:
            new: Every text projection as the state has it.
        """
        return self._closer(self._first(new), new)

    def _first(self, new: Weights) -> tuple[Reading, ...]:
        seen: list[Reading] = []
        panel, asked = self.panel, self.asked
        if panel.judge is not None:
            evidence = panel.looked(asked, new)
            seen += [r for probe in PROBES for r in probe.readings(evidence)]
            seen += panel.distance(asked, new, self.policy.probes.distance)
        seen += self.again(new)
        seen += panel.information(asked, new)
        seen += panel.moved(asked, new)
        return (*seen, *agreement(seen, asked.gone))

    def _closer(
        self, readings: tuple[Reading, ...], new: Weights
    ) -> tuple[Reading, ...]:
        """Look again, at more pictures, where too few of them speak against it."""
        screens = {(r.probe, r.concept) for r in self.policy.verdict(readings).screens}
        if not screens or self.panel.judge is None:
            return readings
        evidence = self.panel.looked(self._more(screens), new)
        better = {
            (r.probe, r.concept): r
            for probe in PROBES
            for r in probe.readings(evidence)
            if (r.probe, r.concept) in screens
        }
        return tuple(better.get((r.probe, r.concept), r) for r in readings)

    def _more(self, screens: set[tuple[str, str]]) -> Asked:
        """Return the same questions with as many pictures as decide them."""
        asked, book = self.asked, self.book
        names = {concept for probe, concept in screens if probe == "presence"}
        gone = {*asked.earlier, *(q.concept.name for q in asked.about)}
        kept = book.kept(gone, PER_CELL)
        world = book.world
        return Asked(
            tuple(
                replace(
                    q,
                    erased=_only(book.erased(q.concept), q.erased),
                    renamed=_only(book.renamed(q.concept), q.renamed),
                    family=_only(book.family(q.concept), q.family),
                    alike=_only(book.alike(q.concept, gone), q.alike),
                )
                for q in asked.about
                if any(concept == q.concept.name for _, concept in screens)
            ),
            kept=tuple(cell for cell in kept if {cell.subject, cell.style} & names),
            earlier={
                name: _only(book.erased(world.concepts[name]), cells)
                for name, cells in asked.earlier.items()
                if name in names
            },
            then=asked.then,
        )


def look_at(
    at: Place,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Sequence[Concept],
    target: Target,
    watch: Watch,
) -> Look:
    """Return who looks at these concepts, closely, and at those erased before."""
    book = at.book(concepts)
    panel = panel_for(at, policy, book, watch)
    asked = _asked(book, policy, concepts, gone=gone, target=target)
    beside = frozenset(c.name for c in (*gone, *concepts))
    again = Replay(at, panel, book, tuple(gone), beside, policy.probes.attacks)
    asked = replace(asked, then=_then(at, gone))
    return Look(policy, panel, asked, book, again.readings)


def state_readings(
    at: Place, gone: Sequence[Concept], new: Weights, policy: Policy, watch: Watch
) -> tuple[Reading, ...]:
    """Look at every erased concept and at everything else.

    Args:
        at: Where the model is.
        gone: What is meant to be erased in the state.
        new: Every text projection as the state has it.
        policy: How many pictures, how painted, who judges.
        watch: Who wants to see it advance.

    Returns:
        Presence of each concept, resurgence, what is kept, and what recorded attacks
        bring back; none without a judge.
    """
    book, sizes = at.book(gone), policy.probes
    panel = panel_for(at, policy, book, watch)
    if panel.judge is None:
        return ()
    names = {concept.name for concept in gone}
    earlier = {
        concept.name: tuple(
            cell
            for cell in book.erased(concept, sizes.earlier)
            if not {cell.subject, cell.style} & (names - {concept.name})
        )
        for concept in gone
    }
    kept = book.kept(names, sizes.kept, sizes.kept_share)
    asked = Asked((), kept=kept, earlier=earlier, then=_then(at, gone))
    evidence = panel.looked(asked, new)
    again = Replay(at, panel, book, tuple(gone), frozenset(names), sizes.attacks)
    found = (r for probe in PROBES for r in probe.readings(evidence))
    return (*found, *again.readings(new))


def _then(at: Place, gone: Sequence[Concept]) -> dict[str, Callable[[], Weights]]:
    """Return what gives the weights right after each concept's own erasure."""
    live = live_concepts(at.history())
    return {
        concept.name: partial(at.weights, live[concept.name][0])
        for concept in gone
        if concept.name in live
    }


def _asked(
    book: Book,
    policy: Policy,
    concepts: Sequence[Concept],
    *,
    gone: Sequence[Concept],
    target: Target,
) -> Asked:
    """Return what is looked at, in the sizes that the policy asks for."""
    sizes = policy.probes
    names = {c.name for c in (*concepts, *gone)}
    nats = -(-sizes.information // len(concepts))

    def clear(cells: Sequence[Cell], own: Concept) -> tuple[Cell, ...]:
        others = names - {own.name}
        return tuple(c for c in cells if not {c.subject, c.style} & others)

    about = []
    for concept in concepts:
        erased = clear(book.erased(concept, sizes.erased), concept)
        about.append(
            Questions(
                concept,
                erased=erased,
                information=book.information(erased[:nats], concept),
                target=clear(book.target(concept, target, sizes.erased), concept),
                instead=target,
                renamed=clear(book.renamed(concept, sizes.renamed), concept),
                family=clear(book.family(concept, sizes.family), concept),
                near=book.world.near(concept.name) - names,
                relations=relations(book.world, concept.name),
                hops=hops(book.world, concept.name),
                alike=book.alike(concept, names, sizes.alike) if sizes.alike else (),
            )
        )
    return Asked(
        tuple(about),
        kept=book.kept(names, sizes.kept, sizes.kept_share),
        earlier={e.name: clear(book.erased(e, sizes.earlier), e) for e in gone},
        nodes=nodes_of(book, sizes.nodes, names),
    )


def nodes_of(book: Book, n: int, gone: Collection[str]) -> dict[str, tuple[Cell, ...]]:
    """Return ``n`` cells of every concept, none of which shows another that is gone."""
    world = book.world
    found = {}
    for name in (*world.styles, *world.subjects) if n else ():
        cells = book.erased(world.concepts[name], 1)
        others = {*gone} - {name}
        clear = [c for c in cells if not {c.subject, c.style} & others]
        if some := scattered(clear, n):
            found[name] = some
    return found


def _only(cells: Sequence[Cell], like: Sequence[Cell]) -> tuple[Cell, ...]:
    """Return those cells that show what some cell in ``like`` shows."""
    shown = {(cell.subject, cell.style) for cell in like}
    return tuple(cell for cell in cells if (cell.subject, cell.style) in shown)
