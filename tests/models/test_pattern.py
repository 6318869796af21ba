"""Patterns of adapters: what re would say, in a time that nobody's pattern decides."""

import random
import re
import time
from contextlib import suppress

import pytest

from unlearnlog.checkpoints.adapter_info import Adapter
from unlearnlog.checkpoints.bounded_patterns import LONGEST, MANY, first_match
from unlearnlog.errors import ModelError

MODULE = "down_blocks.0.attentions.1.transformer_blocks.0.attn2.to_k"


@pytest.mark.parametrize(
    ("pattern", "matches"),
    [
        (MODULE, True),
        ("to_k", True),
        ("attn2.to_k", True),
        ("o_k", False),
        ("attn2", False),
        (r".*attn[12]\.to_(q|k)", True),
        (r"down_blocks\.\d+\..*to_k", True),
        (r"^down_blocks.*", True),
        (r"^attn2.*", False),
        (r"(up|mid)_blocks.*", False),
        (r"(\w+\.)+to_k$", True),
        (r"(?:[^.]+\.){2,7}to_[a-z]", True),
        (r"attn2\.to_k{1,3}?", True),
    ],
)
def test_a_module_is_found_as_peft_finds_it(pattern, matches):
    assert bool(re.match(rf"(.*\.)?({pattern})$", MODULE)) is matches

    assert (first_match([pattern], MODULE) == pattern) is matches


def _drawn(rng, depth=0):
    """Return a random pattern of the syntax that is understood."""
    kind = rng.randrange(9 if depth < 3 else 5)
    if kind < 2:
        single = ["a", "b", ".", r"\.", "[ab]", "[^a]", r"\w", r"\D", "[a-c]", "^", "$"]
        return rng.choice(single)
    if kind < 5:
        return rng.choice("ab.") + rng.choice(["", "*", "+", "?", "{2}", "{,2}", "*?"])
    if kind == 5:
        return f"({_drawn(rng, depth + 1)}){rng.choice(['', '*', '+', '?', '{0,3}'])}"
    if kind == 6:
        return f"(?:{_drawn(rng, depth + 1)}|{_drawn(rng, depth + 1)})"
    return _drawn(rng, depth + 1) + _drawn(rng, depth + 1)


def test_it_says_what_re_says():
    rng, n = random.Random(0), 0

    for _ in range(2000):
        pattern = _drawn(rng)
        text = "".join(rng.choice("ab.c1") for _ in range(rng.randrange(8)))
        expected = bool(re.match(rf"(.*\.)?({pattern})$", text))

        assert (first_match([pattern], text) is not None) is expected, (pattern, text)
        n += expected

    assert 200 < n < 1800


@pytest.mark.parametrize(
    "pattern",
    [
        *("(a+)+", "((a|a)*)*", "(a|aa)+", "(.*a){25}", "(a?){40}a{40}"),
        *("(((a{1,999}){1,999}){1,999})", "(.*.*.*.*.*.*.*.*x)", "((((.*)*)*)*)*x"),
    ],
)
def test_no_pattern_takes_long(pattern):
    """`alpha_pattern` with a repeat in a repeat hung an audit: re tries every way."""
    began = time.monotonic()

    with suppress(ValueError):
        assert first_match([f"{pattern}b"], "a" * 500 + "c") is None

    assert time.monotonic() - began < 5.0


@pytest.mark.parametrize(
    "pattern",
    [
        *("(", ")", "[", "a)", "(a", "*a", "a**", r"\1", r"\b", "(?=a)", "(?P<x>a)"),
        *(
            "a{",
            "a{x}",
            "a{1,2",
            "\\",
            "(?i)a",
            "a" * LONGEST + "*",
            "(" * 50 + ")" * 50,
        ),
    ],
)
def test_what_is_not_understood_is_refused_by_name(pattern):
    """A pattern that re could not read was passed over, and its alpha with it."""
    adapter = Adapter({"r": 2, "lora_alpha": 2, "alpha_pattern": {pattern: 6}})

    with pytest.raises(ModelError, match="cannot be used") as error:
        adapter.scale(f"unet.{MODULE}.weight", 2)

    assert "alpha_pattern" in error.value.fix
    assert repr(pattern[:80]) in error.value.message


def test_more_patterns_than_a_model_has_modules_are_refused():
    patterns = {f"x{i}": 6 for i in range(MANY + 1)}

    with pytest.raises(ModelError, match=str(MANY + 1)):
        Adapter({"alpha_pattern": patterns}).scale(f"unet.{MODULE}.weight", 2)
