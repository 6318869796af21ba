"""Choice of the judge for a model, and the cached answers of the base."""

from __future__ import annotations

from typing import TYPE_CHECKING

from unlearnlog.atelier.base_latents import FILE, BaseLatents
from unlearnlog.atelier.bundled_model import FOLDER, BaseAnswers, bundled_judge
from unlearnlog.atelier.bundled_model import base_answers as bundled_answers
from unlearnlog.atelier.canvas import SIZE
from unlearnlog.commands.kept_samples import LedgerSampleCache
from unlearnlog.core.reading_registry import INFORMATION, MEANINGS
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.glyphs.glyph_model import ANSWERS as GLYPH_ANSWERS
from unlearnlog.glyphs.glyph_model import JUDGE as GLYPH_JUDGE
from unlearnlog.glyphs.glyph_model import SOURCE as GLYPHS
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.judges.judge_table import loaded_judge
from unlearnlog.probes.runner import ProbeRunner

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from unlearnlog.commands.session import Session
    from unlearnlog.concepts.concept_set import ConceptSet
    from unlearnlog.concepts.prompts import PromptBook
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.core.progress import Progress
    from unlearnlog.judges.judge import Judge
    from unlearnlog.policy import Policy


def judge_for(
    at: Session, name: str, world: ConceptSet, watch: Progress
) -> Judge | None:
    """Return the judge of that name; None for ``none``.

    With ``auto`` it is None, too, where the base cannot judge.

    Raises:
        ModelError: The judge does not fit this model.
    """
    if name == "none":
        return None
    if (at.is_bundled and name == "auto") or (name == "atelier" and _fits(at)):
        return bundled_judge()
    if name == "auto" and at.manifest.source == GLYPHS:
        return _glyph_judge()
    if name == "auto" and at.model.no_nats:
        return None
    if name in ("auto", "base"):
        _check_judges(at)
        return BaseJudge(at.model, world, watch)
    if name == "atelier":
        raise ModelError(
            "the judge 'atelier' judges pictures of the bundled model's size only, "
            f"not those of {at.manifest.source}",
            fix="leave --judge out, or give the folder of a CLIP model",
        )
    return loaded_judge(name, world)


def _glyph_judge() -> Judge:
    """Return the judge of the real drawings: the same network, with its own answers."""
    from unlearnlog.atelier.atelier_judge import AtelierJudge

    return AtelierJudge.load(GLYPH_JUDGE, GLYPHS)


def _check_judges(at: Session) -> None:
    """Refuse the base as a judge where it is no classifier.

    Raises:
        ModelError: It predicts no posterior mean.
    """
    if at.model.no_nats:
        raise ModelError(
            f"{at.manifest.source} cannot judge: {at.model.no_nats}, so its errors are "
            "no likelihoods",
            fix="give the folder of a CLIP model, --judge FOLDER; or erase from the "
            "model that it was distilled from",
        )


def what_judges(at: Session, otherwise: str) -> str:
    """Return how to give a judge, where a command has none.

    Args:
        at: The session.
        otherwise: The same where the base could judge.
    """
    if not at.model.no_nats:
        return otherwise
    return (
        "give the folder of a CLIP model, --judge FOLDER: this model cannot judge, "
        f"{at.model.no_nats}"
    )


def unread(at: Session, judge: str) -> Mapping[str, str]:
    """Return why readings are missing on a model that predicts no posterior mean.

    Args:
        at: The session.
        judge: The policy's judge; with ``auto``, what a judge reads is missing as well.

    Returns:
        The reason by reading; empty for any other model.
    """
    why = at.model.no_nats
    if not why:
        return {}
    cannot = f"the model cannot judge, {why}"
    others = dict.fromkeys(MEANINGS, cannot) if judge == "auto" else {}
    return {**others, **dict.fromkeys(INFORMATION, f"no nats: {why}")}


def _fits(at: Session) -> bool:
    """Return whether the bundled judge accepts the model's picture size."""
    return at.model.picture_shape == (SIZE, SIZE, 3)


def base_answers(at: Session, judge: Judge | None) -> BaseAnswers:
    """Return the bundled answers of a judge to the base's pictures, or no answers."""
    if not at.fresh and at.is_bundled and judge is not None and judge.name == "atelier":
        return bundled_answers()
    if not at.fresh and judge is not None and judge.name == GLYPHS:
        return BaseAnswers.load(GLYPH_ANSWERS)
    return BaseAnswers()


def _base_latents(at: Session) -> BaseLatents | None:
    """Return the bundled latents of the base's pictures, as it paints them on a CPU."""
    if at.fresh or not at.is_bundled:
        return None
    if at.model.device.type != "cpu" or at.model.dtype != "float32":
        return None
    return BaseLatents.load(FOLDER / FILE)


def check_kept(kept: Collection[ProbeCase]) -> None:
    """Refuse to judge without pictures that measure the judge's false alarms.

    Raises:
        UsageError: No picture shows kept concepts only.
    """
    if not kept:
        raise UsageError(
            "there is no picture of a kept concept: the judge's false alarms cannot "
            "be measured",
            fix="name more concepts in the file of concepts, or set "
            "probes.kept_share in the policy to 1",
        )


def check_alone(
    book: PromptBook, concepts: Iterable[Concept], gone: Collection[str]
) -> None:
    """Refuse a concept whose pictures all show another one of ``gone``.

    Raises:
        UsageError: There is such a concept.
    """
    for concept in concepts:
        if not book.alone(concept, 1, gone):
            raise UsageError(
                f"every picture of '{concept.name}' shows another erased concept",
                fix="name more concepts in the file of concepts",
            )


def runner_for(
    at: Session, policy: Policy, book: PromptBook, watch: Progress
) -> ProbeRunner:
    """Return the runner of the probes on this model, with judge, cache and sampling.

    Raises:
        ModelError: The judge does not fit this model.
    """
    judge = judge_for(at, policy.judge, book.world, watch)
    identity = judge.identity if judge else ""
    album = LedgerSampleCache(at, identity, base_answers(at, judge), _base_latents(at))
    sampling = policy.painting()
    return at.seen_by(
        ProbeRunner(at.model, judge, album, sampling, watch, crew=at.crew)
    )
