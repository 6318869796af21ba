import pytest

from unlearnlog.prompt import TARGETS, Prompt

PROMPT = Prompt("a painting of a cat by Picasso", "a painting of a cat", "a photo")


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("context", "a painting of a cat"),
        ("anchor", "a photo"),
        ("unconditional", ""),
    ],
)
def test_each_target_has_its_own_words(target, words):
    assert PROMPT.target(target) == words


def test_no_target_keeps_the_words_that_name_the_concept():
    texts = {PROMPT.target(target) for target in TARGETS}

    assert len(texts) == len(TARGETS)
    assert PROMPT.text not in texts
