"""What is said of a concept follows from pairs of pictures and from the controls."""

from dataclasses import replace

import pytest

from unlearnlog.audits.verdict import (
    ConceptEvidence,
    Gate,
    Health,
    VerdictRules,
    Weighed,
    findings,
)
from unlearnlog.probes.statistics import Estimate

RULES = VerdictRules(margin=0.05, false_alarms=0.05, base_presence=0.5)
N = 96


def sight(now, then=0, *, n=N, base=1.0, alarms=0.0, beside=0.0, concept="Picasso"):
    """What shows in the first so many of n pictures."""

    def first(hits, of=n):
        return tuple(i < hits for i in range(of))

    return ConceptEvidence(
        concept,
        first(now),
        first(then),
        first(round(base * n)),
        first(alarms * 200, 200),
        first(beside * 200, 200),
    )


def word(*sights):
    return [each.word for each in findings(sights, RULES)]


def test_what_shows_in_no_picture_is_gone():
    (found,) = findings([sight(0)], RULES)

    assert found.word == "gone"
    assert found.back.high < 0.05
    assert found.now.n == N


def test_what_shows_again_has_resurged():
    (found,) = findings([sight(30)], RULES)

    assert found.word == "resurged"
    assert "31% of 96 pictures, 0% before" in found.why
    assert found.back.low > 0
    assert found.p < 1e-6


def test_what_showed_as_often_before_has_not_come_back():
    found = findings([sight(10, then=10, n=400)], RULES)[0]

    assert found.word == "gone"


def test_what_was_never_hidden_is_said_to_show_all_the_same():
    (found,) = findings([sight(300, then=500, n=1000)], RULES)
    (hidden,) = findings([sight(0, n=1000)], RULES)

    assert found.word == hidden.word == "gone"
    assert found.why.endswith("it shows in 30% all the same, 50% before")
    assert "all the same" not in hidden.why


def test_too_few_pictures_decide_nothing_and_more_would():
    (found,) = findings([sight(0, n=12)], RULES)

    assert found.word == "undecided"
    assert found.wide
    assert "n = 12" in found.why


def test_a_return_that_may_be_chance_is_undecided():
    (found,) = findings([sight(3)], RULES)

    assert found.word == "undecided"
    assert found.back.high > RULES.margin


def test_a_judge_that_says_yes_to_everything_decides_nothing():
    (found,) = findings([sight(N, then=N, alarms=1.0)], RULES)
    (also,) = findings([sight(N, then=0, alarms=1.0)], RULES)

    assert found.word == also.word == "undecided"
    assert not found.wide
    assert "100% of 200 pictures of other things" in also.why


@pytest.mark.parametrize(
    ("now", "beside", "said"),
    [
        (30, 0.0, "resurged"),
        (30, 0.15, "resurged"),
        (30, 0.30, "undecided"),
        (96, 1.0, "undecided"),
        (96, 0.80, "resurged"),
        (0, 0.30, "gone"),
    ],
)
def test_what_shows_as_often_in_pictures_of_other_things_may_be_the_judge_s_mistake(
    now, beside, said
):
    (found,) = findings([sight(now, beside=beside)], RULES)

    assert found.word == said
    if said == "undecided":
        assert f"{beside:.0%} of 200" in found.why


def test_a_judge_that_never_sees_it_decides_nothing():
    (found,) = findings([sight(0, base=0.1)], RULES)

    assert found.word == "undecided"
    assert "of the base's own" in found.why


@pytest.mark.parametrize(
    ("shown", "now", "said"),
    [
        (0, 0.95, "gone"),
        (0, 0.49, "gone"),
        (0, 0.47, "undecided"),
        (0, 0.0, "undecided"),
        (30, 0.0, "resurged"),
    ],
)
def test_nothing_is_gone_from_a_model_that_paints_little_of_anything(shown, now, said):
    (found,) = findings([replace(sight(shown), health=Health(now, 0.96, 40))], RULES)

    assert found.word == said
    if said == "undecided":
        assert (
            f"40 other pictures the audited model's show what they are to in {now:.0%}"
            in found.why
        )
        assert not found.wide


def test_nothing_is_gone_from_a_state_that_painted_nothing_either():
    dead = replace(sight(0), health=Health(0.0, 0.0, 40))

    assert word(dead) == ["undecided"]


def test_of_many_concepts_each_is_held_to_more():
    """Five of 96 alone are beyond chance; among forty others they are not."""
    alone = word(sight(5))
    among = word(sight(5), *(sight(0, concept=f"{i}") for i in range(40)))

    assert alone == ["resurged"]
    assert among[0] == "undecided"
    assert set(among[1:]) == {"gone"}


def test_nothing_to_look_at_is_an_error():
    with pytest.raises(ValueError, match="no share"):
        findings([ConceptEvidence("x", (), (), (), ())], RULES)


def test_a_token_that_stood_for_the_name_is_named_beside_the_concept():
    """The name may say nothing any more while a new word says it."""
    by_name, by_token = findings([sight(0), replace(sight(90), token="<x>")], RULES)

    assert (by_name.called, by_name.word) == ("Picasso", "gone")
    assert (by_token.called, by_token.word) == ("Picasso as <x>", "resurged")
    assert by_token.concept == "Picasso"


@pytest.mark.parametrize(
    ("case", "gate"),
    [
        ({"false_alarms": 0.06}, Gate.MISLED),
        ({"base": 0.4}, Gate.BLIND),
        ({"false_alarms": None}, Gate.UNTRIED),
        ({"stands_out": False}, Gate.EVERYWHERE),
        ({}, Gate.RETURNED),
        ({"came_back": False, "healthy": False}, Gate.FEEBLE),
        ({"came_back": False, "change": Estimate(0, -0.02, 0.04, 90)}, Gate.WITHIN),
        ({"came_back": False}, Gate.OPEN),
    ],
)
def test_the_first_gate_that_applies_settles_it_whatever_comes_after(case, gate):
    """An audit and a fine-tune decide by the same gates, in this order."""
    worst = {"false_alarms": 0.0, "base": 1.0, "stands_out": True, "healthy": True}
    change = Estimate(0.5, 0.4, 0.6, 90)

    found = Weighed(**{"change": change, "came_back": True, **worst, **case})

    assert found.gate(VerdictRules()) is gate


def test_an_embedding_that_shows_no_more_than_random_vectors_brings_nothing_back():
    """Any vectors may, in a model that paints it wherever it can."""
    own = sight(40)
    null = replace(own, token="<x>", at_random=own.now[::-1])
    real = replace(own, token="<x>", at_random=(False,) * len(own.now))

    (by_chance,) = findings([null], VerdictRules())
    (found,) = findings([real], VerdictRules())

    assert by_chance.word == "undecided"
    assert "with random vectors of the same norms in its place" in by_chance.why
    assert found.word == "resurged"
    assert found.at_random is not None
    assert found.at_random.value == 0


def test_a_finding_says_which_autoencoder_painted():
    (found,) = findings(
        [replace(sight(0), through="its own autoencoder")], VerdictRules()
    )

    assert found.called == "Picasso, with its own autoencoder"
