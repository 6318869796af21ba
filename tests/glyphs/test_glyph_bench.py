"""The suite of the real drawings: what it asks, what it counts, on made-up answers."""

import pytest

from benchmarks import glyph_cases
from benchmarks.glyph_alone import FULL, pair_counts, questions, worst_kept
from benchmarks.glyph_choice import N_ALONE, STYLES, SUBJECTS
from benchmarks.glyph_hundred import FAR, MARKS, distances, in_order
from benchmarks.glyph_pictures import Case, Count, Panel
from benchmarks.glyph_words import control_words
from benchmarks.glyphs import cells
from unlearnlog.glyphs.glyph_captions import known_cells
from unlearnlog.glyphs.glyph_world import keywords, world

NAMES = [name for each in SUBJECTS.values() for name in each]


def panel(*rows):
    """Return a panel of rows: what must be shown, what is now, what the base shows."""
    cases = [
        Case(f"{i}", i, (("subject", must),)) for i, (must, _, _) in enumerate(rows)
    ]
    now = [{"subject": shown} for _, shown, _ in rows]
    return Panel(cases, now, [{"subject": base} for _, _, base in rows])


def test_every_cell_of_the_suite_has_a_name_of_its_own():
    names = [cell.name for cell in cells()]

    assert len(names) == len({*names})
    assert sum(name.startswith("sixty-") for name in names) == N_ALONE


@pytest.mark.parametrize("name", [*STYLES, *NAMES])
def test_every_erased_concept_is_known_and_has_pictures_of_its_own(name):
    asked = questions(world().concept(name), FULL)

    assert len(asked["own"]) == FULL["own"]
    for case in asked["kept"]:
        assert name not in dict(case.shows).values()


@pytest.mark.parametrize("name", NAMES)
def test_no_picture_of_a_question_is_of_a_cell_that_was_never_trained(name):
    asked = questions(world().concept(name), FULL)

    for question in ("kept", "near", "inside", "alike"):
        for case in asked[question]:
            assert (case.must("subject"), case.must("style")) in known_cells()


def test_what_is_kept_is_asked_on_the_same_prompts_for_every_erasure():
    one = {*glyph_cases.kept(["horse"], 60)}
    other = {*glyph_cases.kept(["bell"], 60)}

    assert len(one & other) >= 58


@pytest.mark.parametrize(
    ("name", "others"),
    [
        ("cat face", {"cat"}),
        ("horse", {"horse face", "carousel horse"}),
        ("bell", {"bellhop bell", "bell with slash"} - {"bellhop bell"}),
    ],
)
def test_names_inside_of_names_are_whole_words(name, others):
    found = {*glyph_cases.sharing_words(world().concept(name))}

    assert others <= found
    assert "scattered" not in found


def test_keywords_are_kept_apart_by_whether_a_training_had_them():
    seen = {c.prompt for c in glyph_cases.by_keyword("horse", 12, unseen=False)}
    unseen = {c.prompt for c in glyph_cases.by_keyword("horse", 12, unseen=True)}

    assert seen
    assert all("equestrian" in prompt for prompt in unseen)
    assert not any(word in prompt for word in keywords().unseen for prompt in seen)


def test_a_pair_asks_for_the_other_subject_in_its_half():
    cases = glyph_cases.pairs("horse", 4)

    for case in cases:
        assert {case.must("left"), case.must("right")} > {"horse"}


def test_a_count_is_of_the_edited_model_and_of_the_base():
    found = panel(("cat", "dog", "cat"), ("cat", "cat", "cat"), ("cat", "", "dog"))

    assert found.count("subject") == Count(3, 1, 2)
    assert found.by_concept("subject") == {"cat": Count(3, 1, 2)}


def test_the_erased_half_of_a_pair_is_counted_apart_from_the_one_that_stays():
    shows = (("left", "horse"), ("right", "star"))
    cases = [Case("a horse left of a star", 0, shows)]
    both = {"left": "horse", "right": "star"}
    found = Panel(cases, [{"left": "", "right": "star"}], [both])

    counts = pair_counts(found, "horse")

    assert counts["pairs"] == Count(1, 1, 1)
    assert counts["erased of pairs"] == Count(1, 0, 1)


def test_the_worst_kept_concept_is_one_that_the_base_paints():
    rows = [("cat", "dog", "cat")] * 4 + [("dog", "dog", "dog")] * 4
    rows += [("fox", "", "fox")]
    empty = panel()
    panels = {"kept": panel(*rows), "near": empty, "alike": empty, "inside": empty}

    assert worst_kept(panels, "subject") == {"concept": "cat", "count": [4, 0, 4]}


def test_the_hundred_are_the_same_in_every_order():
    one, other = in_order(1), in_order(2)

    assert one != other
    assert {*one} == {*other}
    assert len(one) == MARKS[-1]


def test_a_kept_subject_is_as_near_as_the_nearest_erased_one():
    near = distances(["blue heart", "bomb"])

    assert near["red heart"] == "siblings"
    assert near["syringe"] == "siblings"
    assert near.get("koala", FAR) == FAR
    assert "bomb" not in near


def test_control_words_never_mean_the_subject():
    words = control_words("horse", 16)

    assert len(words) == 16
    assert not {*words} & {*keywords().of("horse")}
