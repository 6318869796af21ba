"""Which readings a person decides from, and why a verdict is not plain."""

from __future__ import annotations

from tests.histories import shown
from tests.screens import about, earlier, entry_of, everything_else, number, read
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.bounds import strictest
from unlearnlog.findings.headlines import MOST, furthest, headlines, reasons
from unlearnlog.policy import Policy

FAST = Policy.load("fast")


def test_there_are_at_most_eight_and_what_fails_is_first():
    readings = (*about(), *everything_else(), *earlier("Klimt"))

    lines = headlines(entry_of(readings))

    assert len(lines) == MOST
    assert [line.is_unmet for line in lines] == [True] + [False] * 7
    assert lines[0].title == "came back"


def test_a_limit_that_is_a_multiple_of_the_base_is_said_in_the_unit_of_the_reading():
    reading = read("cra", "Picasso", 240, 256, base=0.5)

    bound = strictest(reading, FAST)

    assert bound is not None
    assert (bound.asks, bound.word) == ("at least 0.45", "passed")


def test_the_look_alike_is_named_and_without_its_own_reading_its_presence_counts():
    own = (*about(), *everything_else())
    bare = [r for r in own if r.probe != "alike"]

    def named(readings):
        entry = entry_of(readings, policy=FAST)
        lines = headlines(entry, {"Picasso": "Braque"}.get)
        (line,) = (line for line in lines if line.title == "look-alike kept")
        return line.name, line.reading.probe, line.reading.n

    assert named(own) == ("Braque", "alike", 96)
    assert named(bare) == ("Braque", "presence", 16)


def test_a_reason_is_the_title_of_a_reading_or_what_was_not_read():
    readings = [r for r in about() if r.probe != "lands.reject"]
    entry = entry_of([*readings, *everything_else(), shown("horse", 1, 16)])

    said = reasons(entry, headlines(entry))

    assert said == ("worst kept: horse", "there is no reading of lands.reject")


def test_what_all_concepts_of_a_batch_have_in_doubt_is_said_once_and_in_their_order():
    names = ("cat", "Picasso", "dog")
    open_ = VerdictRecord(passed=True)
    none = entry_of((), names=names, policy=FAST).model_copy(update={"verdict": open_})
    some = none.model_copy(update={"readings": (read("ua", "Picasso"),)})

    assert reasons(none, ()) == ("its erasure was not measured",)
    assert reasons(some, ()) == ("cat, dog: its erasure was not measured",)


def test_what_became_worst_by_composing_is_a_share_before_it_is_nats():
    alone = (read("ua", "cat"), number("bound-mi", "cat", 1.0), read("ira", "cat"))
    together = (
        read("ua", "cat", 90),
        number("bound-mi", "cat", 9.0),
        read("ua", "dog"),
    )

    assert furthest(alone, together) == (alone[0], together[0])
    assert furthest(alone[1:], together) == (alone[1], together[1])
    assert furthest((), together) is None
