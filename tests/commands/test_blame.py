"""Blame and the short log: which entries moved a concept, and who made them."""

from __future__ import annotations

import pytest

from tests.histories import in_nats, shown, step, three_steps
from unlearnlog.commands.blame import blamed, check_recorded, is_about
from unlearnlog.commands.shortlog import UNKNOWN, by_author
from unlearnlog.core.concept import Concept
from unlearnlog.core.entry import Drop
from unlearnlog.core.note import Author, Note
from unlearnlog.errors import ConceptError, UsageError


def history(steps=None):
    return [(each.entry.id, each.entry) for each in steps or three_steps()]


def test_each_entry_that_moved_a_concept_is_listed_with_how_far():
    found = blamed(history(), "Renoir")

    assert found.reading == "presence"
    assert [line.names for line in found.lines] == [("Monet",), ("cat",)]
    (line, back) = found.lines
    assert (line.before, line.after, line.role) == (1.0, 14 / 16, "measured")
    assert line.change == pytest.approx(-2 / 16)
    assert back.change == pytest.approx(2 / 16)


def test_the_entry_that_erased_it_comes_first():
    found = blamed(history(), "picasso")

    assert [line.role for line in found.lines] == ["erased", "measured"]
    assert found.concept == "Picasso"
    assert found.lines[0].change == -1.0
    assert found.lines[0].is_sure
    assert found.lines[1].after == 0.25


def test_an_entry_that_did_not_move_it_is_left_out():
    found = blamed(history(), "Braque")

    assert found.lines == ()


def test_taking_an_erasure_back_is_blamed_as_such():
    first = step(1, ["Picasso"], ["Picasso"])
    drop = (Drop(entry=first.entry.id),)
    second = step(2, ["Picasso"], [], kind="revert", changes=drop, delta=None)

    found = blamed(history([first, second]), "Picasso")

    assert [line.role for line in found.lines] == ["erased", "taken back"]


def test_a_concept_is_found_by_another_of_its_names():
    concept = Concept("Vincent van Gogh", "style", aliases=("Van Gogh",))
    (only,) = history([step(1, [], [], concepts=(concept,))])

    assert is_about(only[1], "van-gogh")
    assert not is_about(only[1], "Vincent")
    assert blamed([only], "VAN GOGH").concept == "Vincent van Gogh"


def test_another_reading_can_be_asked_for():
    nats = in_nats("moved.nats", "Monet", 0.5)
    steps = [step(1, ["Picasso"], ["Picasso"], [shown("Monet", 16, 16), nats])]

    found = blamed(history(steps), "Monet", "moved.nats")

    assert (found.unit, found.lines[0].change) == ("nats", 0.5)


def test_a_concept_that_no_entry_knows_is_an_error():
    entries = [entry for _, entry in history()]

    with pytest.raises(ConceptError, match="is about 'Picaso'") as found:
        check_recorded(entries, "Picaso")

    assert "did you mean 'Picasso'?" in found.value.fix


def test_a_reading_that_there_is_not_is_an_error():
    with pytest.raises(UsageError, match=r"no entry up to here has a reading of moved"):
        blamed(history(), "Monet", "moved")


def test_the_short_log_counts_the_entries_of_each_author():
    ada = Note(author=Author(name="Ada"))
    steps = [
        step(1, ["Picasso"], [], note=ada),
        step(2, ["Monet"], []),
        step(3, ["cat"], [], note=ada),
    ]

    shares = by_author(history(steps))

    assert [(share.who, share.n) for share in shares] == [("Ada", 2), (UNKNOWN, 1)]
    assert [subject for _, subject in shares[0].entries] == [
        "erase Picasso",
        "erase cat",
    ]
