"""What fine-tunes come to: nobody is believed who cannot be wrong."""

from dataclasses import replace

import pytest

from unlearnlog.audits.finetune_course import Finetuned, FinetuneRun
from unlearnlog.audits.finetune_training import FinetuneSettings
from unlearnlog.audits.return_forecast import ReturnForecast
from unlearnlog.audits.survival import Curve, StepPresence
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.core.digest import Digest
from unlearnlog.probes.statistics import share

N = 96


def curve(concept, *hits):
    """So many of the pictures show it after 0, 4 and 9 steps."""
    looks = [
        StepPresence(step, tuple(i < k for i in range(N)))
        for step, k in zip((0, 4, 9), hits, strict=True)
    ]
    return Curve(concept, tuple(looks))


def tuned(*curves, kept=(90, 90, 88), mistaken=0.0, seeds=1, twin=()):
    courses = tuple(
        FinetuneRun(
            training=FinetuneSettings(steps=9, seed=seed),
            lesson=Digest("0" * 64),
            n_pictures=5,
            curves=curves,
            kept=kept and curve("(kept)", *kept),
            losses=(0.1,),
            forecasts=tuple(ReturnForecast(c.concept, 0.5, 0.01, 64) for c in curves),
            twin=twin,
        )
        for seed in range(seeds)
    )
    names = [c.concept for c in curves]
    known = {name: share(94, N) for name in names}
    wrong = {name: mistaken if name == "cat" else 0.0 for name in names}
    return Finetuned("abc", "unrelated", known, wrong, VerdictRules(), courses)


def test_what_stays_away_while_the_rest_is_painted_is_gone():
    found = tuned(curve("cat", 0, 0, 0), curve("Picasso", 0, 0, 40))

    assert found.verdicts == {"cat": "gone", "Picasso": "resurged"}
    assert not found.passed


def test_where_nothing_is_kept_no_judge_is_believed():
    """It might see a cat everywhere, and nobody has looked elsewhere."""
    found = tuned(curve("cat", N, N, N), kept=None)

    assert found.verdicts == {"cat": "undecided"}
    assert found.survival == ()
    assert not found.passed


@pytest.mark.parametrize(
    ("last", "word"), [(90, "gone"), (46, "gone"), (45, "undecided")]
)
def test_nothing_is_gone_from_a_model_that_paints_little_of_anything(last, word):
    found = tuned(
        curve("cat", 0, 0, 0), curve("Picasso", 0, 0, 40), kept=(90, 90, last)
    )

    assert found.verdicts == {"cat": word, "Picasso": "resurged"}
    assert found.row()["courses"][0]["concepts"][0]["verdict"] == word


def test_a_judge_that_is_not_believed_has_no_say_in_any_number():
    curves = curve("cat", 0, 0, 96), curve("Picasso", 0, 0, 96)
    twin = curve("cat", 0, 0, 60), curve("Picasso", 0, 0, 60)
    sure, doubted = (
        tuned(*curves, seeds=3, twin=twin, mistaken=wrong) for wrong in (0.0, 0.5)
    )

    assert sure.savings is not None
    assert doubted.savings is not None
    assert (sure.savings.n, doubted.savings.n) == (6, 3)
    assert sure.resurgence is not None
    assert doubted.resurgence is not None
    assert sure.resurgence.n == 2 * doubted.resurgence.n


def test_forecasts_are_scored_where_the_judge_is_believed():
    names = [str(i) for i in range(12)]
    found = tuned(*(curve(name, 0, 0, 2 * i) for i, name in enumerate(names)))
    said = tuple(ReturnForecast(name, i / 12, None, 64) for i, name in enumerate(names))
    courses = (replace(found.courses[0], forecasts=said),)

    whole = replace(found, courses=courses).scores()["alignment"]
    wrong = {name: i // 6 for i, name in enumerate(names)}
    half = replace(found, courses=courses, mistaken=wrong).scores()["alignment"]

    assert whole is not None
    assert half is not None
    assert (whole.n, half.n) == (12, 6)
