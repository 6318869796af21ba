"""The verdict comes first, and says no more than what was recorded."""

import pytest

from tests.histories import in_nats, shown, some_findings, step, three_steps
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.judgement import judgement, weakest
from unlearnlog.findings.triangle import triangle
from unlearnlog.policy import Policy


@pytest.mark.parametrize(
    ("verdict", "word", "sentence"),
    [
        (
            VerdictRecord(passed=True),
            "passed",
            "Every limit of the policy “fast” holds",
        ),
        (
            VerdictRecord(passed=False, failures=("ua of Monet is 0.1",)),
            "failed",
            "A limit of the policy “fast” does not hold",
        ),
        (
            VerdictRecord(passed=True, failures=("ua", "ira")),
            "failed",
            "2 limits of the policy “fast” do not hold",
        ),
        (
            VerdictRecord(passed=True, undecided=("there is no reading of alike",)),
            "undecided",
            "A limit of the policy “fast” could not be decided",
        ),
    ],
)
def test_the_last_entrys_verdict_is_told_in_a_word(verdict, word, sentence):
    found = judgement([step(1, ["Monet"], ["Monet"], [shown("Monet", 1)], verdict)])

    assert found.word == word
    assert found.sentence.startswith(sentence)


def test_an_entry_that_nobody_looked_at_is_not_said_to_have_passed():
    found = judgement([*three_steps(), step(4, ["cat"], ["Monet"], kind="revert")])

    assert found.word == "unmeasured"
    assert "is unknown" in found.sentence


@pytest.mark.parametrize(
    ("policy", "caveat"),
    [
        ("fast", "It sets no limit on any single kept concept."),
        ("default", ""),
    ],
)
def test_what_the_policy_does_not_ask_is_said(policy, caveat):
    assert judgement(three_steps(), Policy.load(policy)).caveat == caveat


def test_earlier_entries_that_were_accepted_in_doubt_are_named():
    doubt = VerdictRecord(passed=True, undecided=("alike",))
    first = step(1, ["Monet"], ["Monet"], [shown("Monet", 1)], doubt)

    assert judgement([first, *three_steps()[1:]]).doubted == (1,)


def test_the_weakest_are_the_worst_of_their_kind():
    steps = three_steps()

    erased, kept, back, drift = weakest(steps, triangle(steps))

    assert _read(erased) == ("Picasso", 0.25)
    assert _read(kept) == ("dog", 0.25)
    assert _read(back) == ("Picasso", 0.25)
    assert _read(drift) == ("(kept)", 0.3)
    assert "1 of 3 lost any" in kept.note


def test_where_nothing_is_lost_the_least_known_is_named_and_called_a_screen():
    readings = [shown("Braque", 96), shown("dog", 4, 4), in_nats("drift", "(kept)", 0)]
    steps = [step(1, ["Monet"], ["Monet"], readings)]

    _, kept, back, _ = weakest(steps, triangle(steps))

    assert _read(kept) == ("dog", 1.0)
    assert "none of 2 lost any" in kept.note
    assert "a screen" in kept.note
    assert back.reading is None


def test_findings_without_any_reading_are_findings():
    found = some_findings([step(1, ["Monet"], ["Monet"])], ())

    assert all(each.reading is None for each in found.weakest)
    assert {harm.status for harm in found.graph.harm[0]} == {"erased", "unread"}


def _read(weakness):
    reading = weakness.reading
    return reading.concept, reading.value
