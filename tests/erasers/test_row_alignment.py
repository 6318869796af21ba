"""Which rows of an encoded prompt become which of its target's."""

import pytest

from unlearnlog.erasers.row_alignment import ReadPrompt, paired_rows, rows_alike
from unlearnlog.models.interface import PromptRows


def spans_of(text, n, begin=0):
    """A row a word, after some of a template, then an end token and padding."""
    spans, at = list[tuple[int, int] | None]([None] * begin), 0
    for word in text.split():
        at = text.index(word, at)
        spans.append((at, at + len(word)))
        at += len(word)
    return (*spans, *[None] * (n - len(spans)))


def read(text, *, n=8, begin=0, mask=None, causal=False):
    rows = PromptRows(spans_of(text, n, begin), (causal,) * n)
    return ReadPrompt.of(text, rows, mask)


def name_in(text, name):
    return text.index(name), text.index(name) + len(name)


TEXT, GOAL = "a painting by Pablo Picasso of cats", "a painting of cats"
NAME = name_in(TEXT, "Pablo Picasso")


def pairs(one, other, span="all", name=NAME):
    found = paired_rows(one, other, name, span)
    return list(zip(found.here, found.there, strict=True))


def test_words_alike_become_themselves_and_a_name_that_goes_the_word_before_it():
    found = pairs(read(TEXT, n=10), read(GOAL, n=10))

    assert found[:7] == [(0, 0), (1, 1), (2, 1), (3, 1), (4, 1), (5, 2), (6, 3)]


def test_padding_that_is_read_becomes_padding_the_last_row_the_last():
    found = pairs(read(TEXT, n=10), read(GOAL, n=10))

    assert found[7:] == [(7, 4), (8, 5), (9, 9)]


def test_padding_that_is_not_read_takes_no_part():
    mask = [True] * 8 + [False] * 2
    shorter = [True] * 5 + [False] * 5

    found = pairs(read(TEXT, n=10, mask=mask), read(GOAL, n=10, mask=shorter))

    assert found[7:] == [(7, 4)]


@pytest.mark.parametrize(
    ("one", "other", "own"),
    [
        ("a Pablo Picasso here", "a man here", [(1, 1), (2, 1)]),
        ("a Picasso here", "an old man here", [(0, 0), (1, 2)]),
        ("a b c Picasso here", "x y here", [(0, 0), (1, 1), (2, 1), (3, 1)]),
        ("Picasso", "", [(0, 0)]),
    ],
)
def test_names_of_other_lengths_end_at_the_anchor_s_last_word(one, other, own):
    """The shorter one's last row stands in for what it lacks."""
    name = name_in(one, "Picasso")

    found = pairs(read(one), read(other), name=name)

    assert [pair for pair in found if pair in own] == own


def test_a_template_before_and_behind_becomes_itself():
    one = PromptRows((None, None, (0, 1), (2, 9), None, None), (False,) * 6)
    other = PromptRows((None, None, (0, 1), None, None), (False,) * 5)

    found = pairs(
        ReadPrompt.of("a Picasso", one, None),
        ReadPrompt.of("a", other, None),
        name=(2, 9),
    )

    assert found == [(0, 0), (1, 1), (2, 2), (3, 2), (4, 3), (5, 4)]


def test_of_an_empty_target_the_template_is_told_from_what_stands_behind():
    one = PromptRows((None, (0, 7), None, None), (False,) * 4)
    nothing = PromptRows((None, None, None, None), (False,) * 4)

    found = pairs(
        ReadPrompt.of("Picasso", one, None),
        ReadPrompt.of("", nothing, None),
        name=(0, 7),
    )

    assert found == [(0, 0), (1, 0), (2, 1), (3, 3)]


@pytest.mark.parametrize(
    ("span", "here", "there"),
    [
        ("all", [3, 4, 5, 6, 7], [3, 4, 5, 6, 7]),
        ("tail", [4, 5, 6, 7], [3, 4, 5, 6]),
        ("last", [4], [3]),
    ],
)
def test_of_a_causal_encoder_the_rows_before_the_name_stay(span, here, there):
    found = paired_rows(read(TEXT, causal=True), read(GOAL, causal=True), NAME, span)

    assert (found.here, found.there, found.names) == (here, there, [4])


def test_of_a_causal_encoder_without_padding_what_stands_behind_is_aligned():
    template = [True] * 9
    one = read(TEXT, n=9, causal=True, mask=template)
    other = read(GOAL, n=6, causal=True)

    found = pairs(one, other)

    assert found == [(3, 1), (4, 1), (5, 2), (6, 3), (7, 4), (8, 5)]


@pytest.mark.parametrize("span", ["tail", "all", "whole"])
def test_of_any_other_encoder_every_span_from_the_name_on_is_all_rows(span):
    found = paired_rows(read(TEXT), read(GOAL), NAME, span)

    assert found.here == [*range(8)]


@pytest.mark.parametrize("span", ["around", "behind"])
def test_the_concept_s_own_rows_may_be_left_out(span):
    found = paired_rows(read(TEXT), read(GOAL), NAME, span)

    assert found.here == [0, 1, 5, 6, 7]


def test_the_last_row_is_the_name_s_and_becomes_the_last_word_s():
    found = paired_rows(read(TEXT), read(GOAL), NAME, "last")

    assert (found.here, found.there) == ([4], [3])


def test_rows_of_two_encoders_are_aligned_each_by_its_own_rule():
    """Stable Diffusion 3 has CLIP's rows, which are causal, and T5's behind them."""
    causal = (True,) * 8 + (False,) * 8
    one, other = (
        ReadPrompt.of(text, PromptRows(spans_of(text, 8) * 2, causal), None)
        for text in (TEXT, GOAL)
    )

    found = paired_rows(one, other, NAME, "all")

    assert found.here == [3, 4, 5, 6, 7, *range(8, 16)]
    assert found.there[:5] == [3, 4, 5, 6, 7]
    assert all(row >= 8 for row in found.there[5:])
    assert found.names == [4, 12]
    assert one.ends == [6, 14]


def test_a_name_that_no_encoder_reads_has_no_row():
    found = paired_rows(read(TEXT, n=8), read(GOAL, n=8), (90, 99), "all")

    assert found.names == found.here == []


def test_of_a_family_s_prompt_the_rows_with_other_words_take_part():
    one, other = "a cubist cat here", "a Braque cat here"

    whole = rows_alike(read(one), read(other))
    rest = rows_alike(read(one, causal=True), read(other, causal=True))

    assert whole == ([*range(8)], [*range(8)])
    assert rest == ([*range(1, 8)], [*range(1, 8)])


def test_a_prompt_that_is_its_own_goal_becomes_itself():
    one = read("a cat")

    assert rows_alike(one, one) == ([*range(8)], [*range(8)])
