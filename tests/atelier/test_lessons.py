"""Lessons respect what was erased, and never meet what probes look at."""

import pytest
import torch

from recipes.atelier.pictures import FRESH_SEED, PER_CELL
from tests.wording import says
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.finetune_sets import (
    FIRST_SEED,
    SketchPlan,
    lesson_cells,
    pictures_of,
)
from unlearnlog.concepts.templates import PLAIN
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.errors import UsageError


def sketch(*names, targets=(), seed=0):
    concepts = tuple(world().concepts[n] for n in targets or names)
    return SketchPlan(book(), concepts, frozenset(names), seed)


def shown(cells):
    return {cell.style for cell in cells}, {cell.subject for cell in cells}


ERASED = [("Picasso",), ("cat",), ("Picasso", "Monet", "cat"), ("Picasso", "Signac")]
WORDS = ("unrelated", "sibling", "parent", "target:5")


@pytest.mark.parametrize("names", ERASED)
@pytest.mark.parametrize("word", WORDS[:3])
def test_nothing_erased_is_shown_or_named(word, names):
    cells = lesson_cells(word, sketch(*names))

    styles, subjects = shown(cells)
    spelt = [n for name in names for n in world().names(name)]
    assert not (styles | subjects) & {*names, *world().held_out}
    assert not [c.prompt for c in cells for name in spelt if says(c.prompt, name)]


@pytest.mark.parametrize("names", ERASED)
def test_unrelated_is_nothing_of_any_erased_family(names):
    styles, subjects = shown(lesson_cells("unrelated", sketch(*names)))

    families = {world().parent(name) for name in names}
    assert not [n for n in styles | subjects if world().parent(n) in families]
    assert len(styles) > 8
    assert len(subjects) > 8


def test_siblings_are_what_stays_of_the_family_and_look_alikes():
    styles, _ = shown(lesson_cells("sibling", sketch("Picasso")))
    _, subjects = shown(lesson_cells("sibling", sketch("cat", "horse")))

    assert styles == {"Braque"}
    assert subjects == {"dog", "bird", "fish"}


def test_the_parent_word_is_said_over_every_member_that_stays():
    cells = lesson_cells("parent", sketch("cat"))

    assert all(says(cell.prompt, "animal") for cell in cells)
    assert {cell.subject for cell in cells} == {"dog", "bird", "fish", "horse"}
    counts = [sum(c.subject == name for c in cells) for name in ("dog", "bird", "fish")]
    assert min(counts) > 40


def test_the_target_is_shown_as_often_as_was_asked_for_by_its_own_name():
    cells = lesson_cells("target:5", sketch("Picasso", "cat"))

    by_style = [cell for cell in cells if cell.style == "Picasso"]
    by_subject = [cell for cell in cells if cell.subject == "cat"]
    assert (len(cells), len(by_style), len(by_subject)) == (10, 5, 5)
    assert all(says(cell.prompt, "Picasso") for cell in by_style)
    assert len({cell.subject for cell in by_style}) == 5
    assert not [cell for cell in by_style if cell.subject == "cat"]


def test_data_about_one_of_two_erased_concepts_is_about_that_one():
    cells = lesson_cells("target:3", sketch("Picasso", "cat", targets=("cat",)))

    assert {cell.subject for cell in cells} == {"cat"}
    assert "Picasso" not in {cell.style for cell in cells}


@pytest.mark.parametrize("word", WORDS)
def test_no_lesson_has_a_probes_prompt_or_a_reserved_cell_of_a_target(word):
    erased = sketch("Picasso", "cat")
    probing = {c.prompt for c in book().kept(())}
    for concept in erased.targets:
        probing |= {c.prompt for c in book().erased(concept)}
        probing |= {c.prompt for c in book().family(concept)}

    cells = lesson_cells(word, erased)

    assert not {cell.prompt for cell in cells} & probing
    if word != "unrelated":
        assert not [c for c in cells if book().is_reserved(c.subject, c.style)]


@pytest.mark.parametrize("word", WORDS)
def test_pictures_come_from_seeds_of_their_own(word):
    seeds = [c.seed for s in (0, 1) for c in lesson_cells(word, sketch("cat", seed=s))]

    assert len({*seeds}) == len(seeds)
    assert min(seeds) >= FIRST_SEED > FRESH_SEED + PER_CELL


def test_another_seed_is_another_lesson_and_the_same_seed_the_same():
    one, again, other = (
        lesson_cells("target:5", sketch("Picasso", seed=seed)) for seed in (0, 0, 1)
    )

    assert one == again
    assert {c.subject for c in one} != {c.subject for c in other}


def test_pictures_are_those_of_the_renderer():
    cells = (
        ProbeCase("x", FIRST_SEED, "cat", PLAIN),
        ProbeCase("x", FIRST_SEED, "cat", "Monet"),
    )

    pictures = pictures_of(cells)

    assert pictures.shape == (2, 64, 64, 3)
    assert pictures.dtype == torch.uint8
    assert not torch.equal(pictures[0], pictures[1])


@pytest.mark.parametrize(
    "word", ["cousins", "target", "target:", "target:0", "target:x", "sibling:3", ""]
)
def test_a_word_that_says_nothing_is_refused(word):
    with pytest.raises(UsageError):
        lesson_cells(word, sketch("Picasso"))


@pytest.mark.parametrize("word", ["sibling", "parent"])
def test_a_family_of_which_nothing_stays_is_said_by_name(word):
    with pytest.raises(UsageError, match="family of 'Picasso'"):
        lesson_cells(word, sketch("Picasso", "Braque"))


def test_when_everything_is_erased_nothing_is_unrelated():
    with pytest.raises(UsageError, match="no kept concept"):
        lesson_cells("unrelated", sketch(*world().styles))
