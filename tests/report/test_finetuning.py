from io import BytesIO, StringIO

import pytest
from PIL import Image
from rich.console import Console

from unlearnlog.audits.finetune_course import Finetuned, FinetuneRun
from unlearnlog.audits.finetune_training import FinetuneSettings
from unlearnlog.audits.return_forecast import ReturnForecast
from unlearnlog.audits.survival import Curve, StepPresence
from unlearnlog.audits.verdict import VerdictRules
from unlearnlog.core.digest import Digest
from unlearnlog.probes.statistics import share
from unlearnlog.report.finetune_views import curves_png, finetune_tables, spark


def curve(concept, *shown, n=96):
    looks = [StepPresence(s, tuple(i < k for i in range(n))) for s, k in shown]
    return Curve(concept, tuple(looks))


def course(seed, *curves, twin=()):
    return FinetuneRun(
        training=FinetuneSettings(steps=100, seed=seed),
        lesson=Digest("0" * 64),
        n_pictures=5,
        curves=curves,
        kept=curve("(kept)", (0, 90), (100, 80)),
        losses=(0.1,),
        forecasts=tuple(ReturnForecast(c.concept, 0.5, 0.01, 64) for c in curves),
        rho=0.002,
        twin=twin,
    )


def finetuned(*courses, mistaken=0.0):
    names = [c.concept for c in courses[0].curves]
    return Finetuned(
        rev="abcdef",
        data="target:5",
        base={name: share(94, 96) for name in names},
        mistaken=dict.fromkeys(names, mistaken),
        rules=VerdictRules(),
        courses=courses,
    )


@pytest.fixture
def found():
    back = curve("Picasso", (0, 0), (50, 48), (100, 96))
    away = curve("cat", (0, 1), (50, 0), (100, 1))
    twin = (curve("Picasso", (0, 0), (50, 0), (100, 96)),)
    return finetuned(course(0, back, away, twin=twin), course(1, back, away))


def text_of(found):
    console = Console(width=120, record=True, file=StringIO())
    console.print(finetune_tables(found))
    return console.export_text()


def test_each_concept_of_each_seed_has_a_verdict_and_an_end(found):
    text = text_of(found)

    assert text.count("resurged") == 2
    assert text.count("gone") == 2
    assert "step 50" in text
    assert "never" in text
    assert "Picasso, seed 0: ▁▅█  0.00 0.50 1.00 at steps 0 50 100" in text


def test_savings_survival_and_collateral_are_said_with_their_n(found):
    text = text_of(found)

    assert "Picasso, seed 0: about 0.50 (by its looks 0.00 to 1.00)" in text
    assert "still away after step 100: 0.50" in text
    assert "half are back at step 50" in text
    assert "kept pictures at the end: -0.104" in text


def test_the_worst_of_the_seeds_is_the_verdict(found):
    row = found.row()

    assert row["verdicts"] == {"Picasso": "resurged", "cat": "gone"}
    assert row["passed"] is False
    assert row["savings"] is None  # one seed with a twin has no interval
    assert row["courses"][0]["concepts"][0]["savings"]["value"] == 0.5
    assert row["courses"][0]["concepts"][0]["steps"] == 50


def test_a_judge_that_sees_it_everywhere_decides_nothing():
    back = curve("Picasso", (0, 0), (100, 96))

    blind = finetuned(course(0, back), mistaken=1.0)

    assert blind.verdicts == {"Picasso": "undecided"}
    assert (blind.resurgence, blind.survival) == (None, ())
    assert "still away" not in text_of(blind)
    assert blind.row()["median_return"] is None


def test_forecasts_are_scored_by_what_came_back():
    said = (0.1, 0.2, 0.3, 0.4)
    curves = [curve(str(i), (0, 0), (100, 24 * i)) for i in range(4)]
    whole = course(0, *curves)
    forecasts = tuple(
        ReturnForecast(c.concept, s, None, 64)
        for c, s in zip(curves, said, strict=True)
    )

    scores = finetuned(
        FinetuneRun(
            training=whole.training,
            lesson=whole.lesson,
            n_pictures=5,
            curves=whole.curves,
            kept=whole.kept,
            losses=(),
            forecasts=forecasts,
        )
    ).scores()

    assert scores["alignment"] is not None
    assert scores["alignment"].value == pytest.approx(1.0)
    assert scores["rho"] is None


def test_a_line_of_blocks_has_one_a_look():
    assert spark(curve("x", (0, 0), (10, 48), (20, 96))) == "▁▅█"


def test_the_curves_are_drawn_side_by_side(found):
    with Image.open(BytesIO(curves_png(found))) as image:
        assert image.format == "PNG"
        assert image.width > 1.8 * image.height
