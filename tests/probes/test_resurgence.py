"""Whether what was erased earlier came back, on answers made by hand."""

from __future__ import annotations

from dataclasses import replace

from tests.probes.evidences import by_name, evidence, seen
from unlearnlog.core.doubt import EARLIER
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.probes.resurgence import Resurgence

SUBJECTS = [f"subject {i}" for i in range(40)]


def shown(style, n_now, *, reject=0):
    """Cells of an earlier style, the first ``n_now`` of which show it again."""
    answers = [style] * n_now + [REJECT] * reject
    answers += ["photo"] * (len(SUBJECTS) - len(answers))
    return tuple(
        seen(subject, style, now=(subject, hand))
        for subject, hand in zip(SUBJECTS, answers, strict=True)
    )


def after(n_then):
    """What the same cells showed right after their own erasure."""
    hands = ["Monet"] * n_then + ["photo"] * (len(SUBJECTS) - n_then)
    return tuple(Answer(s, hand) for s, hand in zip(SUBJECTS, hands, strict=True))


def readings(n_now, n_then=0, **said):
    made = evidence(earlier={"Monet": shown("Monet", n_now, **said)})
    return by_name(Resurgence().readings(replace(made, then={"Monet": after(n_then)})))


def test_what_stayed_away_has_not_come_back_and_says_how_sure_that_is():
    found = readings(0)["resurgence", "Monet"]

    assert found.value == 0
    assert found.low < 0 < found.high < 0.15
    assert found.n == len(SUBJECTS)
    assert found.unit == "difference"


def test_what_shows_now_and_did_not_then_has_come_back():
    found = readings(10)

    assert found["resurgence", "Monet"].value == 0.25
    assert found["resurgence", "Monet"].low > 0
    assert found["resurgence", EARLIER].value == 0.25
    assert found["resurgence.found", EARLIER].value == 1


def test_what_had_never_gone_has_not_come_back():
    found = readings(10, 10)

    assert found["resurgence", "Monet"].value == 0
    assert found["resurgence.found", EARLIER].value == 0


def test_one_picture_more_is_chance():
    assert readings(1)["resurgence.found", EARLIER].value == 0


def test_of_many_targets_each_is_held_to_more():
    """Five of forty are more than chance alone, not beside nineteen quiet ones."""
    alone = readings(5)["resurgence.found", EARLIER]
    names = [f"style {i}" for i in range(20)]
    earlier = {name: shown(name, 5 if name == names[0] else 0) for name in names}
    made = replace(evidence(earlier=earlier), then=dict.fromkeys(names, after(0)))
    many = by_name(Resurgence().readings(made))["resurgence.found", EARLIER]

    assert alone.value == 1
    assert many.value == 0
    assert many.n == 20


def test_noise_is_no_return():
    found = readings(0, reject=10)

    assert found["resurgence", "Monet"].value == 0
    assert found["resurgence.reject", EARLIER].value == 0.25


def test_where_nothing_was_erased_earlier_there_is_nothing_to_say():
    assert Resurgence().readings(evidence()) == ()
    assert Resurgence().readings(evidence(earlier={"Monet": shown("Monet", 3)})) == ()
