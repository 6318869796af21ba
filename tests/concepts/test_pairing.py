"""One style of one subject: `add "cat by Picasso"` took every cat."""

from __future__ import annotations

import tomllib

import pytest

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.errors import ConceptError

CONCEPTS = """
[concepts.cat]
kind = "subject"
aliases = ["kitten"]
[concepts.Picasso]
kind = "style"
aliases = ["Pablo Picasso"]
[concepts.Banksy]
kind = "style"
"""


@pytest.fixture
def small():
    return ConceptSet.of(tomllib.loads(CONCEPTS), "mine.toml")


@pytest.mark.parametrize(
    "name",
    [
        "cat by Picasso",
        "a  Kitten by pablo picasso",
        "the cat in the style of Picasso",
        "cat painted by Picasso",
    ],
)
@pytest.mark.parametrize("kind", ["", "subject", "style"])
def test_one_style_of_one_subject_is_refused_with_both_parts(small, name, kind):
    """It was recorded as a subject, and took every cat, whoever painted it."""
    with pytest.raises(ConceptError) as caught:
        small.concept(name, kind=kind)

    assert "is one style of one subject" in caught.value.message
    assert 'unlearnlog add "Picasso", or unlearnlog add "cat"' in caught.value.fix


def test_it_is_refused_as_an_alias_and_in_a_file_too(small):
    with pytest.raises(ConceptError, match="one style of one subject"):
        small.named("cat", kind="", said={"aliases": ("cat by Picasso",)})
    more = f'{CONCEPTS}[concepts."cat by Banksy"]\nkind = "subject"\n'
    with pytest.raises(ConceptError, match="'cat by Banksy' is one style"):
        ConceptSet.of(tomllib.loads(more), "mine.toml")


@pytest.mark.parametrize(
    "name", ["Guernica by Picasso", "stand by", "Picasso by cat", "cat by nobody", "by"]
)
def test_other_names_with_such_words_in_them_are_names(small, name):
    assert small.concept(name, kind="subject").name == name


def test_what_an_older_ledger_erased_under_such_a_name_is_still_found(small):
    old = small.concept("Guernica by Picasso", kind="subject")
    pair = type(old)("cat by Picasso", "subject")

    assert small.knowing([pair]).concept("cat by Picasso") is pair
