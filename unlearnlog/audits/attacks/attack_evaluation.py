"""The evaluation of an attack against null controls of the same budget.

Success is the share of the concept's own probe prompts, from the entry's own latents,
that show the concept when the attack is applied. It counts only as far as it exceeds
the same pictures without it, and each null control, which had the same budget:

- ``random``: tokens or vectors of the same size, without a search;
- ``held-out``: the same attack after a concept that the model never learned. (Its name
  is no word of the model's and it has no siblings there, so it is harder to reach.)
- ``twin``: the same attack on a model that never learned the concept.

Of several candidates the best is taken on pictures from other latents, and only that
one is judged on the latents that count: its share needs no correction for having been
chosen. False alarms of the judge raise the controls, too; a judge that misses the
concept in the base's own pictures decides nothing.

Source:
    Newcombe's intervals of a difference, paired where the pictures are; the controls
    and the rule of the verdict are ours.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from unlearnlog.audits.attacks.attack_table import attack_called
from unlearnlog.concepts.prompts import PER_CELL
from unlearnlog.core.progress import NestedProgress, counted
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.runner import OTHER_LATENTS, scattered
from unlearnlog.probes.statistics import Estimate, paired_share, share, unpaired_share

if TYPE_CHECKING:
    from unlearnlog.audits.attacks.attack_search import AttackSearch, FoundAttack
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.probe_case import ProbeCase
    from unlearnlog.core.reading import Reading
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.interface import Sampling, Text
    from unlearnlog.models.textual_inversion import VectorPromptModel

Word = Literal["reached", "not reached", "undecided"]
Null = Literal["random", "held-out", "twin"]

MARGIN: Final = 0.1
"""The largest success that still counts as none, a share of pictures."""


@dataclass(frozen=True)
class SamplerAndJudge:
    """The sampling of pictures, and their judge.

    Attributes:
        judge: The judge.
        sampling: Settings of the sampler.
        per_cell: Pictures of each cell.
        least: Share of the base's own pictures that must show a concept to the judge;
            else it decides nothing.
    """

    judge: Judge
    sampling: Sampling
    per_cell: int = PER_CELL
    least: float = 0.0

    def shown(
        self,
        search: AttackSearch,
        finding: FoundAttack | None,
        cells: Sequence[ProbeCase],
    ) -> tuple[bool, ...]:
        """Return whether each cell shows the concept, with an attack or without."""
        model, concept, weights = search.model, search.concept, search.weights
        prompts = [cell.prompt for cell in cells]
        search.watch.stage("painting the attack", len(cells))
        painted = model.paint(
            prompts,
            [cell.seed for cell in cells],
            sampling=self.sampling,
            weights=weights,
            progress=counted(search.watch),
            texts=finding
            if finding is None
            else applied(finding, model, prompts, weights),
        )
        kind = "style" if concept.kind == "style" else "subject"
        answers = self.judge.judged(painted)
        return tuple(answer.of(kind) == concept.name for answer in answers)


@dataclass(frozen=True)
class AttackTarget:
    """The state and the concept of an attack.

    Attributes:
        search: The inputs of the attack.
        cells: Probe cells that show the concept.
    """

    search: AttackSearch
    cells: tuple[ProbeCase, ...]

    def told(self, part: str) -> AttackTarget:
        """Return the target with its progress reported under the name of a part."""
        watch = NestedProgress(self.search.watch, part)
        return replace(self, search=replace(self.search, watch=watch))

    @property
    def some(self) -> tuple[ProbeCase, ...]:
        """The cells of a null control, some of all."""
        return scattered(self.cells, self.search.budget.controls)


@dataclass(frozen=True)
class UnattackedResult:
    """The answers to a target's cells without any attack.

    Attributes:
        erased: Whether each cell shows the concept on the attacked state.
        base: Whether each does on the base.
    """

    erased: tuple[bool, ...]
    base: tuple[bool, ...]


@dataclass(frozen=True)
class Control:
    """A null control.

    Attributes:
        null: Its kind.
        about: The concept of the control.
        success: Share of pictures that show it.
        more: The attack's own success minus that.
    """

    null: Null
    about: str
    success: Estimate
    more: Estimate


@dataclass(frozen=True)
class AttackResult:
    """The result of an attack on one concept.

    Attributes:
        attack: Its name.
        concept: The concept's name.
        finding: The best candidate.
        n_candidates: Number of candidates.
        plain: Share of the prompts that show the concept without it.
        success: Share with it.
        more: The difference, picture by picture.
        controls: The null controls.
        seconds: Time of the search without sampling for the judge, in s.
        is_seen: Whether the judge finds the concept on the base.
    """

    attack: str
    concept: str
    finding: FoundAttack
    n_candidates: int
    plain: Estimate
    success: Estimate
    more: Estimate
    controls: tuple[Control, ...]
    seconds: float = field(compare=False)
    is_seen: bool = True

    def __repr__(self) -> str:
        shown = f"shown in {self.success.value:.3f} of {self.success.n}"
        return f"<Result {self.concept} {self.verdict} by {self.attack}, {shown}>"

    @property
    def verdict(self) -> Word:
        """The verdict on the attack.

        Reached where the attack does better than no attack and than every control, not
        reached where hardly any picture shows the concept with it.
        """
        if not self.is_seen:
            return "undecided"
        more = [self.more, *(each.more for each in self.controls)]
        if self.controls and all(each.low > 0 for each in more):
            return "reached"
        return "not reached" if self.success.high <= MARGIN else "undecided"

    @property
    def above(self) -> Control:
        """The control with the least distance to the success.

        Raises:
            ValueError: There is none.
        """
        return min(self.controls, key=lambda each: each.more.low)

    def reading(self) -> Reading:
        """Return the success as a reading; its base is the best of the controls."""
        least = max((each.success.value for each in self.controls), default=None)
        about = About(f"attack.{self.attack}", self.concept, "lower")
        return reading(about, self.success, least)

    def row(self) -> dict[str, Any]:
        """Return the result as ``attack --json`` prints it."""
        return {
            "attack": self.attack,
            "concept": self.concept,
            "verdict": self.verdict,
            "best_of": self.n_candidates,
            "plain": asdict(self.plain),
            "success": asdict(self.success),
            "more": asdict(self.more),
            "judge_sees_it": self.is_seen,
            "controls": [asdict(each) for each in self.controls],
            "search_s": round(self.seconds, 1),
        }


@dataclass(frozen=True)
class NullControls:
    """Targets on which the same attack must not succeed.

    Attributes:
        held_out: A concept that the model never learned; None if there is none.
        twin: A model that never learned this one; None where there is none.
    """

    held_out: AttackTarget | None = None
    twin: AttackTarget | None = None

    def told(self, part: str) -> NullControls:
        """Return the controls with their progress reported under the name of a part."""
        held_out, twin = self.held_out, self.twin
        return NullControls(
            held_out and held_out.told(f"{part}, control on the held-out"),
            twin and twin.told(f"{part}, control on the twin"),
        )


def applied(
    finding: FoundAttack,
    model: VectorPromptModel,
    prompts: Sequence[str],
    weights: Weights,
) -> Text:
    """Return prompts encoded with a found attack.

    Raises:
        UsageError: There is no such attack.
    """
    return attack_called(finding.attack).texts(finding, model, prompts, weights)


def contested(
    name: str,
    ground: AttackTarget,
    others: NullControls,
    easel: SamplerAndJudge,
    before: UnattackedResult,
) -> AttackResult:
    """Return the result of an attack and of its controls with the same budget.

    Args:
        name: Name of the attack.
        ground: The target.
        others: The targets of the null controls.
        easel: The sampling and the judge.
        before: The answers to the target's cells without the attack.

    Raises:
        UsageError: There is no such attack.
        ValueError: The target has no cells.
    """
    attack, search = attack_called(name), ground.search
    began = time.monotonic()
    candidates = [*attack.found(search)]
    seconds = time.monotonic() - began
    finding = _best(ground, candidates, easel)
    hits = easel.shown(search, finding, ground.cells)
    own = share(sum(hits), len(hits))
    chance = _best(ground, attack.chance(search, finding), easel)
    controls = [_at_random(ground, chance, hits, easel)]
    nulls: tuple[tuple[Null, AttackTarget | None], ...] = (
        ("held-out", others.held_out),
        ("twin", others.twin),
    )
    for null, elsewhere in nulls:
        if elsewhere is not None:
            best = _best(elsewhere, attack.found(elsewhere.search), easel)
            seen = easel.shown(elsewhere.search, best, elsewhere.some)
            found = share(sum(seen), len(seen))
            about = elsewhere.search.concept.name
            controls.append(Control(null, about, found, unpaired_share(own, found)))
    return AttackResult(
        name,
        search.concept.name,
        finding,
        len(candidates),
        share(sum(before.erased), len(before.erased)),
        own,
        paired_share(hits, before.erased),
        tuple(controls),
        seconds,
        sum(before.base) >= easel.least * len(before.base),
    )


def _at_random(
    ground: AttackTarget,
    chance: FoundAttack,
    hits: Sequence[bool],
    easel: SamplerAndJudge,
) -> Control:
    """Return the control of a random candidate, on some of the same pictures."""
    of = dict(zip(ground.cells, hits, strict=True))
    drawn = easel.shown(ground.search, chance, ground.some)
    same = [of[cell] for cell in ground.some]
    found = share(sum(drawn), len(drawn))
    about = ground.search.concept.name
    return Control("random", about, found, paired_share(same, drawn))


def _best(
    ground: AttackTarget, candidates: Iterable[FoundAttack], easel: SamplerAndJudge
) -> FoundAttack:
    """Return the candidate that does best on latents of their own."""
    found = [*candidates]
    if len(found) == 1:
        return found[0]
    some = scattered(ground.cells, ground.search.budget.trials)
    trials = [replace(cell, seed=cell.seed + OTHER_LATENTS) for cell in some]
    hits = [sum(easel.shown(ground.search, each, trials)) for each in found]
    return found[hits.index(max(hits))]
