import pytest

from unlearnlog.core.prompt import TARGETS, Prompt

PROMPT = Prompt(
    "a painting of a cat by Picasso",
    "a painting of a cat",
    "a photo",
    named="Picasso",
    parent="a cubist cat",
    sibling="a painting of a cat by Braque",
)


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("context", "a painting of a cat"),
        ("anchor", "a photo"),
        ("unconditional", ""),
        ("parent", "a cubist cat"),
        ("sibling", "a painting of a cat by Braque"),
    ],
)
def test_each_target_has_its_own_words(target, words):
    assert PROMPT.target(target) == words


def test_no_target_keeps_the_words_that_name_the_concept():
    texts = {PROMPT.target(target) for target in TARGETS}

    assert len(texts) == len(TARGETS)
    assert PROMPT.text not in texts


def test_what_has_no_family_is_its_own_parent_and_leaves_nobody():
    alone = Prompt("a cat by Picasso", "a cat", "a photo of a cat")

    assert alone.target("parent") == "a cat"
    assert alone.target("sibling") == "a photo of a cat"
