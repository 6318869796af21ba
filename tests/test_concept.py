import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unlearnlog.core.concept import (
    MAX_NAME,
    MAX_PROMPT,
    Concept,
    concept_id,
    free_prompt,
)
from unlearnlog.errors import ConceptError


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Picasso", "picasso"),
        ("Van Gogh", "van-gogh"),
        ("  Van   Gogh ", "van-gogh"),
        ("M. C. Escher", "m-c-escher"),
        ("Miró", "miró"),
        ("R2-D2", "r2-d2"),
        ("葛飾 北斎", "葛飾-北斎"),
        ("हिन्दी", "हिन्दी"),
    ],
)
def test_an_id_is_the_lower_case_slug_of_the_name(name, slug):
    assert Concept(name, "style").id == slug


def test_a_name_typed_with_combining_accents_is_the_same_concept():
    composed, combining = (
        unicodedata.normalize(form, "Miró") for form in ("NFC", "NFD")
    )

    assert concept_id(composed) == concept_id(combining)


def test_two_accents_make_two_concepts():
    assert concept_id("Miró") != concept_id("Miro")


def test_spaces_are_made_single():
    concept = Concept(" Van  Gogh", "style", (" Vincent  van Gogh ",), anchor=" photo ")

    assert (concept.name, concept.aliases, concept.anchor) == (
        "Van Gogh",
        ("Vincent van Gogh",),
        "photo",
    )


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("", "the name '' is empty"),
        ("   ", "the name '   ' is empty"),
        ("!?", "the name '!?' has no letter and no digit"),
        ("x" * 81, "is 81 characters long, at most 80 are a name"),
        (
            "Pi\x00casso",
            r"the name 'Pi\x00casso' holds a character that cannot be seen",
        ),
        ("Pi\ncasso", "cannot be seen"),
        ("Pi\u200bcasso", r"'Pi\u200bcasso' holds a character that cannot be seen"),
        ("Pi\udc80casso", "cannot be seen"),
        ("Pi\u2028casso", "cannot be seen"),
    ],
)
def test_what_cannot_name_a_concept_is_refused_in_its_own_words(name, complaint):
    with pytest.raises(ConceptError) as caught:
        Concept(name, "style")

    assert complaint in caught.value.message
    assert caught.value.exit_code == 2


def test_the_longest_name_is_a_name():
    assert len(Concept("x" * MAX_NAME, "style").name) == MAX_NAME


def test_a_very_long_name_is_shortened_in_the_message():
    with pytest.raises(ConceptError) as caught:
        Concept("x" * 100_000, "style")

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": ""},
        {"aliases": ("Pablo", "")},
        {"anchor": "a\tb"},
        {"parent": "x" * 81},
    ],
)
def test_every_text_of_a_concept_is_checked(fields):
    with pytest.raises(ConceptError):
        Concept(**{"name": "Picasso", "kind": "style", **fields})


@settings(max_examples=30)
@given(st.text(max_size=100))
def test_any_text_is_a_concept_or_a_concept_error(text):
    try:
        concept = Concept(text, "style")
    except ConceptError:
        return

    assert "~" in concept.id or concept_id(concept.id) == concept.id
    assert Concept(concept.name, "style") == concept


def test_a_free_prompt_says_what_remains_without_the_concept():
    assert free_prompt(" a bull  in grey=> a grey picture") == (
        "a bull in grey",
        "a grey picture",
    )
    assert free_prompt("a bull in grey =>") == ("a bull in grey", "")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a bull in grey", "has no second part without the concept"),
        ("=> a bull", "the prompt '' is empty"),
        ("a bull => a  bull", "the same without the concept"),
        ("a\u200b bull => grey", "cannot be seen"),
        (f"{'bull ' * MAX_PROMPT} => grey", f"at most {MAX_PROMPT} are a prompt"),
    ],
)
def test_a_free_prompt_that_cannot_be_carried_out_is_refused(text, said):
    with pytest.raises(ConceptError, match=said):
        free_prompt(text)
