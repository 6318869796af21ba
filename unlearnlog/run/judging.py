"""Who judges on which model, and what is known of the base's own pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from unlearnlog.atelier.canvas import SIZE
from unlearnlog.atelier.studio import BaseAnswers, bundled_judge
from unlearnlog.atelier.studio import base_answers as bundled_answers
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.judges.classifier import BaseJudge
from unlearnlog.probes.panel import Panel
from unlearnlog.run.album import KeptAlbum

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from unlearnlog.cell import Cell
    from unlearnlog.concept import Concept
    from unlearnlog.graph.book import Book
    from unlearnlog.graph.world import World
    from unlearnlog.judges.judge import Judge
    from unlearnlog.policy import Policy
    from unlearnlog.run.place import Place
    from unlearnlog.watch import Watch


def judge_for(at: Place, name: str, world: World, watch: Watch) -> Judge | None:
    """Return the judge of that name; None for nobody.

    Raises:
        ModelError: There is no such judge for this model.
    """
    if name == "none":
        return None
    if (at.is_bundled and name == "auto") or (name == "atelier" and _fits(at)):
        return bundled_judge()
    if name in ("auto", "base"):
        return BaseJudge(at.model, world, watch)
    if name == "atelier":
        raise ModelError(
            f"the judge 'atelier' knows pictures of the bundled model's size only, not "
            f"those of {at.manifest.source}",
            fix="leave --judge out, or give the folder of a CLIP model",
        )
    from unlearnlog.judges.clip import ClipJudge

    return ClipJudge.load(Path(name), world)


def _fits(at: Place) -> bool:
    """Whether the judge of the bundled world can see what a model paints."""
    return at.model.picture_shape == (SIZE, SIZE, 3)


def base_answers(at: Place, judge: Judge | None) -> BaseAnswers:
    """Return what ``judge`` saw in the base's pictures, where that ships."""
    if not at.fresh and at.is_bundled and judge is not None and judge.name == "atelier":
        return bundled_answers()
    return BaseAnswers()


def check_kept(kept: Collection[Cell]) -> None:
    """Refuse to believe a judge that nobody can catch at a mistake.

    Raises:
        UsageError: There is no picture in which it should see nothing.
    """
    if not kept:
        raise UsageError(
            "there is no picture of anything that was kept, so nobody can say "
            "whether the judge sees erased concepts everywhere",
            fix="name more concepts in the file of concepts, or set "
            "probes.kept_share in the policy to 1",
        )


def check_alone(book: Book, concepts: Iterable[Concept], gone: Collection[str]) -> None:
    """Refuse to look for a concept in pictures that all show another one of ``gone``.

    Raises:
        UsageError: There is such a concept.
    """
    for concept in concepts:
        if not book.alone(concept, 1, gone):
            raise UsageError(
                f"every picture of '{concept.name}' shows another erased concept",
                fix="name more concepts in the file of concepts",
            )


def panel_for(at: Place, policy: Policy, book: Book, watch: Watch) -> Panel:
    """Return who looks at pictures of this model, and how they are painted.

    Raises:
        ModelError: There is no such judge for this model, or no nats can be read of it.
    """
    judge = judge_for(at, policy.judge, book.world, watch)
    if isinstance(judge, BaseJudge) or policy.probes.information or policy.probes.nodes:
        at.model.check_denoises()
    whose = judge.identity if judge else ""
    album = KeptAlbum(at, whose, base_answers(at, judge))
    return at.seen_by(Panel(at.model, judge, album, policy.painting(), watch))
