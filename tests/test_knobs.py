"""The table of the erasers' settings says what the erasers say."""

from __future__ import annotations

import random
from dataclasses import fields

import pytest

from docs.knobs import knobs_text
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.erasers.setting_table import TABLE, check_eraser, knobs
from unlearnlog.errors import PolicyError

NUMBERS = (-1, 0, 1, 2, 17, 64, 1e-6, 0.5, 1.0, 1.5, 1e6, float("nan"), True, "much")

FITS_ANOTHER = {"micro_batches"}
"""Numbers that have to divide another setting, which only the eraser checks."""


def refused(act, *words):
    """Return what an act refuses with; None where it takes it."""
    try:
        act(*words)
    except PolicyError as error:
        return error.message
    return None


def test_the_table_is_what_the_erasers_say_today():
    text = TABLE.read_text(encoding="utf-8")

    assert text == knobs_text()


@pytest.mark.parametrize("name", ERASERS)
def test_each_number_by_itself_is_refused_by_both_or_by_neither(name):
    kind = ERASERS[name]

    for each in fields(kind):
        if each.name in FITS_ANOTHER:
            continue
        for value in NUMBERS if isinstance(each.default, int | float) else ():
            if isinstance(value, bool) and isinstance(each.default, bool):
                continue  # whether a switch may be on is the method's own affair
            said = refused(check_eraser, {"name": name, each.name: value})
            later = refused(kind.of, {each.name: value})
            assert (said is None) == (later is None), (each.name, value)


@pytest.mark.parametrize("name", ERASERS)
def test_no_settings_that_an_eraser_takes_are_refused_by_the_table(name):
    """Two settings may fit each other, although each alone would not fit the rest."""
    rng, kind = random.Random(0), ERASERS[name]
    names = [each.name for each in fields(kind)]

    for _ in range(200):
        said = {}
        for key in rng.sample(names, k=min(3, len(names))):
            known = knobs()[name][key]
            flags = (True, False) if isinstance(known["default"], bool) else NUMBERS
            said[key] = rng.choice(known.get("words") or flags)
        if refused(kind.of, said) is None:
            check_eraser({"name": name, **said})


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"name": "uec"}, "did you mean 'uce'?"),
        ({"name": "uce", "erase_scal": 3.0}, "did you mean 'erase_scale'?"),
        ({"name": "uce", "erase_scale": -3.0}, "uce's erase_scale is -3.0"),
        ({"name": "uce", "span": "lsat"}, "did you mean 'last'?"),
        ({"name": "uce", "erase_scale": "3"}, "give something like 64.0"),
        ({"name": "esd", "prompts": "bar"}, "known: all, bare; or a prompt with {}"),
        ({}, "no eraser is called ''"),
    ],
)
def test_a_mistake_is_told_with_what_was_meant(said, message):
    with pytest.raises(PolicyError) as caught:
        check_eraser(said)

    assert message in str(caught.value)


def test_a_prompt_of_ones_own_is_no_unknown_word():
    """Where a word or a text may stand, the table once knew words alone."""
    check_eraser({"name": "esd", "prompts": "a photo of {}"})
