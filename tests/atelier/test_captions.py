import re
from collections import defaultdict

import numpy as np
import pytest

from tests.wording import meaning
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.atelier.captions import every_caption, sampled
from unlearnlog.concepts.templates import (
    EMPTY,
    PHOTOS,
    PLAIN,
    TEMPLATES,
    spoken,
    with_article,
)


@pytest.fixture(scope="module")
def captions():
    rng = np.random.default_rng(11)
    return [sampled(rng) for _ in range(2000)]


def mass(captions, at):
    """Share of all pictures that show each name, every cell of a caption alike."""
    shown: dict[str, float] = defaultdict(float)
    for caption in captions:
        for cell in caption.cells:
            shown[cell[at]] += 1 / len(caption.cells) / len(captions)
    return shown


def test_a_caption_shows_the_cells_that_its_words_say(captions):
    wrong = [
        caption.text
        for caption in captions
        if set(caption.cells) != meaning(caption.text)
    ]

    assert wrong == []


def test_no_caption_counts_a_cell_twice(captions):
    assert all(len(set(c.cells)) == len(c.cells) for c in captions)


def test_one_text_never_means_two_things(captions):
    meanings: dict[str, set[tuple[tuple[str, str], ...]]] = {}
    for caption in captions:
        meanings.setdefault(caption.text, set()).add(caption.cells)

    assert all(len(each) == 1 for each in meanings.values())


def test_nothing_held_out_is_ever_shown(captions):
    shown = {name for caption in captions for cell in caption.cells for name in cell}

    assert not shown & set(world().held_out)


def test_every_artist_and_every_subject_is_shown_about_equally_often(captions):
    styles, subjects = mass(captions, 1), mass(captions, 0)

    artists = [styles[name] for name in world().styles]
    nouns = [subjects[name] for name in world().subjects]
    assert max(artists) < 2 * min(artists)
    assert max(nouns) < 2 * min(nouns)


def test_the_plain_style_and_the_empty_scene_have_their_share(captions):
    styles, subjects = mass(captions, 1), mass(captions, 0)

    assert 0.14 < styles[PLAIN] < 0.24
    assert 0.06 < subjects[EMPTY] < 0.11


def test_the_same_random_numbers_give_the_same_captions():
    one, other = np.random.default_rng(3), np.random.default_rng(3)

    assert [sampled(one) for _ in range(20)] == [sampled(other) for _ in range(20)]


def test_no_word_is_missing_from_what_the_tokenizer_is_trained_on(captions):
    known = {word for text in every_caption() for word in re.findall(r"[\w-]+", text)}
    said = {word for c in captions for word in re.findall(r"[\w-]+", c.text)}

    assert said <= known


@pytest.mark.parametrize("template", TEMPLATES)
def test_each_form_of_a_template_says_less_of_the_same_picture(template):
    cat = {"subject": "cat", "style": "Picasso"}

    full, no_style = spoken(template.text, **cat), spoken(template.no_style, **cat)
    no_subject = spoken(template.no_subject, **cat)

    assert meaning(full) == {("cat", "Picasso")}
    assert meaning(no_style) == {("cat", style) for style in world().styles}
    assert meaning(no_subject) == {(s, "Picasso") for s in world().subjects}
    assert len(meaning(template.neither)) == len(world().styles) * len(world().subjects)


@pytest.mark.parametrize("template", PHOTOS)
def test_a_photo_is_in_the_plain_style_with_a_subject_or_without(template):
    with_cat = meaning(spoken(template.text, subject="cat"))
    without = meaning(template.no_subject)

    assert with_cat == {("cat", PLAIN)}
    assert without == {(subject, PLAIN) for subject in world().subjects}


@pytest.mark.parametrize(
    ("kind", "name", "other", "phrase"),
    [
        ("style", "Picasso", "cat", "a cubist cat"),
        ("style", "Monet", "", "an impressionist painting"),
        ("subject", "cat", "Klimt", "a painting of an animal by Klimt"),
        ("subject", "castle", PLAIN, "a photo of a building"),
        ("subject", "boat", "", "a photo of a vehicle"),
    ],
)
def test_a_parent_is_named_by_what_its_family_shares(kind, name, other, phrase):
    assert world().concepts[name].kind == kind
    assert book().parent_phrase(name, other=other) == phrase


@pytest.mark.parametrize(
    ("noun", "phrase"),
    [("oak", "an oak"), ("pony", "a pony"), ("airship", "an airship")],
)
def test_a_noun_has_the_article_of_its_first_letter(noun, phrase):
    assert with_article(noun) == phrase
