"""The sheet of the judge's verdicts: its pictures, their words, what was seen."""

from PIL import Image

from benchmarks.glyph_sheet import (
    COLUMNS,
    INK,
    SHOWN,
    TILE,
    draws,
    result,
    sheet,
    words,
)
from docs.glyph_confusions import glyph_verdicts_said
from unlearnlog.core.probe_case import REJECT


def verdict(read, *, erased="horse"):
    return {"eraser": "ridge", "erased": erased, "prompt": "", "seed": 0, "read": read}


def test_the_same_hundred_different_pictures_are_drawn_each_time():
    some = draws()

    assert len({*some}) == 100
    assert some == draws()
    assert some != draws(seed=31)


def test_a_picture_is_drawn_only_of_a_prompt_that_names_the_erased_concept():
    assert all(name in dict(case.shows).values() for _, name, case in draws())


def test_an_answer_that_is_the_erased_concept_is_told_by_its_colour():
    gone, shown = ([*words(7, verdict(read))][-1] for read in ("", "horse"))

    assert gone == ("judge: an empty page", INK)
    assert shown == ("judge: horse", SHOWN)


def test_pictures_fill_rows_from_the_left():
    red = Image.new("RGB", (64, 64), (255, 0, 0))
    n = COLUMNS + 1

    page = sheet([verdict("")] * n, [red] * n).convert("RGB")

    assert page.size == (COLUMNS * TILE[0], 2 * TILE[1])
    assert page.getpixel((20, TILE[1] + 20)) == (255, 0, 0)
    assert page.getpixel((TILE[0] + 20, TILE[1] + 20)) == (255, 255, 255)


def test_what_a_person_saw_is_forgotten_when_a_verdict_changes():
    seen = {"verdicts": [verdict("")], "looked": {"unclear": [1]}}

    assert result([verdict("")], seen)["looked"] == {"unclear": [1]}
    assert result([verdict("dog")], seen)["looked"] is None
    assert result([verdict("")], None)["looked"] is None


def test_the_sheet_is_said_in_words_with_the_numbers_that_are_wrong():
    verdicts = [verdict("horse")] * 2 + [verdict("")] * 5 + [verdict("dog")] * 2
    verdicts.append(verdict(REJECT))
    faults = {"still there": [4], "not there": [], "another name": [8, 9]}
    looked = {**faults, "unclear": []}

    said = glyph_verdicts_said({"verdicts": verdicts, "looked": looked})

    assert "reads 2 as still the erased concept, 5 as an empty page" in said
    assert "1 as nothing known and 2 as something else" in said
    assert "still there: 1 (4)" in said
    assert "shows: 2 (8, 9)" in said
    assert "0.10 (0.02 to 0.40) of 10" in said


def test_a_sheet_that_nobody_looked_at_says_so():
    said = glyph_verdicts_said({"verdicts": [verdict("")], "looked": None})

    assert "Nobody has looked" in said
