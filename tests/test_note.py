"""What people say of an entry: read from options and the environment, kept as it is."""

from __future__ import annotations

import json

import pytest

from tests.test_entry import _entry
from unlearnlog.core.digest import plain_json
from unlearnlog.core.entry import Entry
from unlearnlog.core.note import (
    MAX_MESSAGE,
    MAX_REF,
    Author,
    Note,
    author_of,
    cells,
    inherited,
    merged,
)
from unlearnlog.errors import UsageError

ADA = Author(name="Ada Lovelace", email="ada@example.org")
BOB = Author(name="Bob")


def test_a_note_comes_back_from_disk_in_the_one_canonical_form():
    entry = _entry(note=Note(message="asked by the estate", ref="LEG-7", author=ADA))

    again = Entry.from_json(entry.to_json())

    assert again == entry
    assert again.note == entry.note
    assert again.row()["note"] == {
        "message": "asked by the estate",
        "ref": "LEG-7",
        "author": {"name": "Ada Lovelace", "email": "ada@example.org"},
    }


def test_a_note_is_written_only_where_there_is_one():
    """Entries from before there were notes keep their bytes, and so their ids."""
    plain = _entry()

    assert b"note" not in plain.to_json()
    assert "note" not in plain.row()
    assert Entry.from_json(plain.to_json()).note is None
    assert _entry(note=Note(message="x")).id != plain.id


NOTHING = [{}, {"message": ""}, {"author": {}}, {"author": None}]
UNSEEN = ["two\nlines", "\x1b[31mred", "\u202eback", " x"]


@pytest.mark.parametrize("note", NOTHING)
def test_a_note_that_says_nothing_has_no_place_in_an_entry(note):
    data = json.loads(_entry().to_json()) | {"note": note}

    with pytest.raises(ValueError, match="not in canonical form"):
        Entry.from_json(plain_json(data))


@pytest.mark.parametrize("text", UNSEEN)
def test_a_note_on_disk_holds_nothing_that_cannot_be_seen(text):
    data = json.loads(_entry(note=Note(message="x")).to_json())
    data["note"]["message"] = text

    with pytest.raises(ValueError, match="not an entry"):
        Entry.from_json(json.dumps(data).encode())


def test_nothing_that_is_said_is_no_note():
    assert Note.of() is None
    assert Note.of("", "  ") is None
    assert cells(None) == ("", "", "")


def test_spaces_are_single_ones():
    note = Note.of("  asked   by ", " LEG-7 ")

    assert note == Note(message="asked by", ref="LEG-7")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (("a\nb", ""), r"the message 'a\\nb' holds a character that cannot be seen"),
        (("", "\x07"), r"the reference '\\x07' holds"),
        (("", "a\u2028b"), r"the reference 'a\\u2028b' holds"),
        (("x" * (MAX_MESSAGE + 1), ""), "is 2001 characters long, at most 2000"),
        (("", "x" * (MAX_REF + 1)), "is 201 characters long, at most 200"),
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(words, complaint):
    with pytest.raises(UsageError, match=complaint):
        Note.of(*words)


def test_names_are_written_in_every_script():
    """A name in Persian holds a joiner, which no one sees."""
    name = "علی\N{ZERO WIDTH NON-JOINER}رضا"

    author = author_of({}, {"GIT_AUTHOR_NAME": name})

    assert author == Author(name=name)


def test_an_author_is_looked_up_as_git_does_name_and_address_one_by_one():
    config = {"author.name": "of the ledger", "author.email": "l@x", "policy": "fast"}
    git = {"GIT_AUTHOR_NAME": "of git", "GIT_AUTHOR_EMAIL": "g@x"}
    own = {"UNLEARNLOG_AUTHOR_EMAIL": "o@x", "UNLEARNLOG_AUTHOR_NAME": " "}

    found = [
        author_of({}, {}),
        author_of(config, {}),
        author_of(config, git),
        author_of(config, git | own),
        author_of({}, own),
    ]

    assert found == [
        None,
        Author(name="of the ledger", email="l@x"),
        Author(name="of git", email="g@x"),
        Author(name="of git", email="o@x"),
        Author(email="o@x"),
    ]
    assert [each.text for each in found if each][-1] == "<o@x>"


@pytest.mark.parametrize("value", ["Ada <ada@x>", "a\tb", "x" * 201])
def test_an_author_that_cannot_be_one_is_refused_with_who_set_it(value):
    with pytest.raises(UsageError, match="UNLEARNLOG_AUTHOR_NAME"):
        author_of({}, {"UNLEARNLOG_AUTHOR_NAME": value})
    with pytest.raises(UsageError, match=r"author\.email"):
        author_of({"author.email": value}, {})


def test_notes_of_several_entries_become_one_that_says_each_thing_once():
    one, two = Note(message="a", ref="1", author=ADA), Note(ref="2", author=ADA)

    assert merged([one, two, None, one]) == Note(message="a", ref="1, 2", author=ADA)
    assert merged([one, Note(author=BOB)]) == Note(message="a", ref="1")
    assert merged([None]) is None
    long = merged(Note(message=f"{i}" + "x" * 1500) for i in range(3))
    assert long is not None
    assert len(long.message) == MAX_MESSAGE


def test_what_takes_an_erasure_up_keeps_why_it_was_made_unless_somebody_says_so():
    old = Note(message="asked by the estate", ref="LEG-7", author=ADA)

    assert inherited(None, [old]) == old
    assert inherited(Note(author=BOB), [old]) == old.model_copy(update={"author": BOB})
    assert inherited(Note(message="new", author=BOB), [old]) == Note(
        message="new", author=BOB
    )
    assert inherited(Note(author=BOB), [None]) == Note(author=BOB)
