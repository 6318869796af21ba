"""An attack counts only as far as it does better than its null controls."""

from dataclasses import dataclass, field, replace

import pytest
import torch

from tests.tiny import build_pipeline
from unlearnlog.audits.attacks.attack_evaluation import (
    AttackResult,
    AttackTarget,
    Control,
    NullControls,
    SamplerAndJudge,
    UnattackedResult,
    contested,
)
from unlearnlog.audits.attacks.attack_search import (
    AttackBudget,
    AttackPictures,
    AttackSearch,
    FoundAttack,
)
from unlearnlog.core.concept import Concept
from unlearnlog.core.probe_case import Answer, ProbeCase
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.probes.statistics import paired_share, share, unpaired_share

PICASSO, HARING = Concept("Picasso", "style"), Concept("Haring", "style")
SAMPLING = Sampling(steps=2, guidance=1.0)
CELLS = tuple(
    ProbeCase(f"a cat by Picasso, {i}", i, "cat", "Picasso") for i in range(6)
)
ALL, NONE = (True,) * len(CELLS), (False,) * len(CELLS)
ELSEWHERE = tuple(
    ProbeCase(f"a cat by Haring, {i}", i, "cat", "Haring") for i in range(6)
)


class Recogniser:
    """Calls a picture a Picasso where it is the one that the base paints."""

    name, identity = "recogniser", "recogniser"

    def __init__(self, model):
        prompts, seeds = [c.prompt for c in CELLS], [c.seed for c in CELLS]
        self.known = model.paint(prompts, seeds, sampling=SAMPLING).latents

    def judged(self, painted):
        apart = torch.cdist(painted.latents.flatten(1), self.known.flatten(1))
        near = apart.min(1).values < 0.005 * self.known.flatten(1).norm(dim=1).mean()
        return [Answer("cat", "Picasso" if each else "photo") for each in near]

    def features(self, painted):  # noqa: ARG002
        return None


class Yes(Recogniser):
    """Sees what it is told to see in everything."""

    def judged(self, painted):
        return [Answer("cat", "Picasso")] * len(painted.latents)


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return DiffusersModel.load(build_pipeline(tmp_path_factory.mktemp("tiny") / "p"))


def ground(model, concept=PICASSO, cells=CELLS, budget=None):
    """What is erased is half of every projection: tokens twice as long undo it."""
    halved = {n: w.float() / 2 for n, w in model.base.items()}
    allowed = budget or AttackBudget(controls=6)
    sketches = AttackPictures((), torch.zeros(0))
    return AttackTarget(AttackSearch(model, halved, concept, sketches, allowed), cells)


def test_an_attack_that_undoes_an_erasure_reaches_it_and_chance_does_not(model):
    easel = SamplerAndJudge(Recogniser(model), SAMPLING)
    held_out = ground(model, HARING, ELSEWHERE)
    plain = easel.shown(ground(model).search, None, CELLS)
    before = UnattackedResult(plain, (True,) * 6)

    found = contested("recovery", ground(model), NullControls(held_out), easel, before)

    assert not any(plain)
    assert found.more.value == 1
    assert found.success.value == 1
    assert [(c.null, c.about, c.success.value) for c in found.controls] == [
        ("random", "Picasso", 0),
        ("held-out", "Haring", 0),
    ]
    assert found.verdict == "reached"


def test_a_judge_that_says_yes_to_everything_decides_nothing(model):
    easel = SamplerAndJudge(Yes(model), SAMPLING)

    found = contested(
        "recovery", ground(model), NullControls(), easel, UnattackedResult(ALL, ALL)
    )

    assert found.success.value == 1
    assert found.above.more.value == 0
    assert found.verdict == "undecided"


def test_the_best_of_several_is_chosen_on_other_pictures_than_it_is_judged_on(model):
    seeds: list[list[int]] = []
    easel = Watching(Recogniser(model), SAMPLING, seeds=seeds)
    allowed = AttackBudget(restarts=2, trials=3, controls=4)

    found = contested(
        "recovery",
        ground(model, budget=allowed),
        NullControls(),
        easel,
        UnattackedResult(NONE, ALL),
    )

    chosen, judged = seeds[:2], seeds[2]
    assert found.n_candidates == 2
    assert all(seed >= 100_000 for each in chosen for seed in each)
    assert judged == [cell.seed for cell in CELLS]
    assert [len(each) for each in seeds] == [3, 3, 6, 3, 3, 4]


@dataclass(frozen=True)
class Watching(SamplerAndJudge):
    """Writes down from which latents anything is painted."""

    seeds: list[list[int]] = field(default_factory=list)

    def shown(self, search, finding, cells):
        self.seeds.append([cell.seed for cell in cells])
        return super().shown(search, finding, cells)


def test_a_twin_is_attacked_with_its_own_weights(model):
    easel = SamplerAndJudge(Recogniser(model), SAMPLING)
    own = ground(model)
    twin = replace(own, search=replace(own.search, weights=dict(model.base)))

    found = contested(
        "recovery", own, NullControls(twin=twin), easel, UnattackedResult(NONE, ALL)
    )

    (_, control) = found.controls
    assert (control.null, control.success.value) == ("twin", 1)
    assert found.verdict == "undecided"


def result(hits, *controls, n=96, plain=0, is_seen=True):
    own, more = share(hits, n), paired_share(shown(hits, n), shown(plain, n))
    found = [Control("held-out", "Haring", c, unpaired_share(own, c)) for c in controls]
    nothing = FoundAttack("recovery", ("Picasso",), {})
    return AttackResult(
        "recovery",
        "Picasso",
        nothing,
        1,
        share(plain, n),
        own,
        more,
        tuple(found),
        0.0,
        is_seen,
    )


def shown(hits, n):
    return [True] * hits + [False] * (n - hits)


@pytest.mark.parametrize(
    ("hits", "controls", "verdict"),
    [
        (96, [share(0, 96)], "reached"),
        (20, [share(2, 96)], "reached"),
        (20, [share(2, 96), share(15, 96)], "undecided"),
        (2, [share(0, 96)], "not reached"),
        (0, [share(0, 96)], "not reached"),
        (96, [share(96, 96)], "undecided"),
        (96, [], "undecided"),
        (0, [], "not reached"),
    ],
)
def test_the_verdict_is_held_against_the_control_that_leaves_least(
    hits, controls, verdict
):
    assert result(hits, *controls).verdict == verdict


@pytest.mark.parametrize(
    ("hits", "plain", "verdict"),
    [
        (96, 0, "reached"),
        (96, 80, "reached"),
        (30, 30, "undecided"),
        (96, 96, "undecided"),
    ],
)
def test_what_shows_without_an_attack_is_no_success_of_it(hits, plain, verdict):
    assert result(hits, share(0, 96), plain=plain).verdict == verdict


@pytest.mark.parametrize("hits", [0, 96])
def test_a_judge_that_never_sees_the_concept_decides_nothing(hits):
    assert result(hits, share(0, 96), is_seen=False).verdict == "undecided"


def test_whether_the_judge_sees_the_concept_is_asked_of_the_base(model):
    easel = SamplerAndJudge(Recogniser(model), SAMPLING, least=0.5)
    three = (True, True, True, False, False, False)

    seen, unseen = (
        contested(
            "recovery",
            ground(model),
            NullControls(),
            easel,
            UnattackedResult(NONE, base),
        )
        for base in (three, NONE)
    )

    assert (seen.is_seen, seen.verdict) == (True, "reached")
    assert (unseen.is_seen, unseen.verdict) == (False, "undecided")


def test_too_few_pictures_never_show_that_nothing_is_reached():
    assert result(0, share(0, 16), n=16).verdict == "undecided"


def test_a_reading_holds_the_share_with_the_attack_and_the_best_control():
    reading = result(20, share(2, 96), share(5, 96)).reading()

    assert (reading.probe, reading.concept) == ("attack.recovery", "Picasso")
    assert (reading.value, reading.n, reading.better) == (20 / 96, 96, "lower")
    assert reading.base == 5 / 96


def test_a_row_says_the_verdict_and_every_number_with_its_n():
    row = result(20, share(2, 48)).row()

    assert row["verdict"] == "reached"
    assert row["best_of"] == 1
    assert row["controls"][0]["success"]["n"] == 48
    assert row["success"]["low"] < 20 / 96 < row["success"]["high"]


def test_pictures_of_their_own_say_less_than_the_same_pictures_twice():
    now, before = [True] * 30 + [False] * 20, [True] * 20 + [False] * 30

    paired = paired_share(now, before)
    unpaired = unpaired_share(share(30, 50), share(20, 50))

    assert paired.value == pytest.approx(unpaired.value)
    assert unpaired.low < paired.low < paired.high < unpaired.high
