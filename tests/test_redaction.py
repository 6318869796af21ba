"""Names that are replaced in whatever is shown, while the records keep them."""

from __future__ import annotations

import json

import pytest

from tests.ledger.making import erase, new_ledger
from unlearnlog.core.concept import concept_id
from unlearnlog.core.concept_redaction import concept_redaction
from unlearnlog.core.redaction import NOTHING, Redaction, put_in_force, redacting
from unlearnlog.core.visible import escaped, json_line, visible
from unlearnlog.ledger.repository import Repository


@pytest.fixture(autouse=True)
def nothing_is_left_in_force():
    yield
    put_in_force(NOTHING)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a cat by Van Gogh", "a cat by X"),
        ("VAN  GOGH's", "X's"),
        ("van-gogh, van_gogh", "X, X"),
        ("q=van%20gogh", "q=X"),
        ("vangoghish", "vangoghish"),
        ("Van Goghs", "Van Goghs"),
    ],
)
def test_a_name_is_found_in_any_spelling_and_no_other_word(text, shown):
    assert Redaction({"Van Gogh": "X"}).text(text) == shown


def test_a_composed_and_a_combining_accent_are_one_name():
    redaction = Redaction({"Dal\u00ed": "X"})

    assert redaction.text("Dal\u00ed, Dali\u0301") == "X, X"


@pytest.mark.parametrize(
    "name",
    ["Georgia O'Keeffe", "St. Ives", "stra\u00dfe", "AC/DC", "C#", "(cats)", "Ke$ha"],
)
def test_the_id_of_a_concept_is_a_spelling_of_its_name(name):
    own = concept_id(name)

    shown = concept_redaction({name: "X"}).text(f"{name}: {own}.png, probe.{own}")

    assert shown == "X: X.png, probe.X"


def test_a_printed_apostrophe_is_the_one_that_is_typed():
    assert Redaction({"O'Keeffe": "X"}).text("by O\u2019Keeffe") == "by X"


def test_a_letter_alone_is_no_spelling_of_a_name_with_a_sign():
    assert concept_redaction({"C#": "X"}).text("c, C and C#") == "c, C and X"


def test_the_longer_of_two_names_is_replaced_first():
    redaction = Redaction({"cat": "A", "cat lady": "B"})

    assert redaction.text("a cat lady and a cat") == "a B and a A"


def test_a_picture_in_a_page_is_left_alone():
    text = 'src="data:image/png;base64,ab/cat+cat=" alt="cat"'

    assert Redaction({"cat": "X"}).text(text) == text.replace('"cat"', '"X"')


def test_it_is_in_force_for_text_and_json_and_then_no_more():
    with redacting(Redaction({"Picasso": "X"})):
        shown = visible("by Picasso"), json_line({"Picasso": ["picasso", 1]})
        kept = escaped("by Picasso")

    assert shown == ("by X", '{"X": ["X", 1]}')
    assert kept == "by Picasso"
    assert visible("by Picasso") == "by Picasso"


@pytest.fixture
def kept(tmp_path):
    """A ledger with an entry about Picasso."""
    ledger = new_ledger(tmp_path / "it")
    erase(ledger, 1)
    return ledger


def test_what_is_shown_names_it_no_more_and_its_digests_stay(kept, typed, monkeypatch):
    monkeypatch.chdir(kept.folder)
    head = kept.head

    done = typed("redact", "picasso")

    assert done.code == 0, done.err
    for words in (
        ("log",),
        ("log", "--json"),
        ("log", "--graph"),
        ("show",),
        ("show", "--json"),
        ("status",),
        ("status", "--json"),
        ("shortlog",),
        ("redact",),
        ("redact", "--json"),
        ("blame", "Picasso", "--json"),
        ("log", "--concept", "Picasso"),
    ):
        shown = typed(*words)
        assert shown.code == 0, shown.err
        assert "picasso" not in (shown.out + shown.err).casefold(), words
    assert json.loads(typed("show", "--json").out)["id"] == head
    assert Repository.open(kept.folder).fsck() == ()
    assert Repository.open(kept.folder).entry(head).concepts[0].name == "Picasso"


def test_it_can_be_shown_again(kept, typed, monkeypatch):
    monkeypatch.chdir(kept.folder)
    typed("redact", "Picasso", "--as", "a takedown")
    assert "a takedown" in typed("log").out

    typed("redact", "Picasso", "--undo")

    assert "Picasso" in typed("log").out


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("redact", "Monet"), "no entry of this ledger is about 'Monet'"),
        (("redact", "Picasso", "--as", "not Picasso"), "hold the name itself"),
        (("redact", "Picasso", "--as", "x" * 81), "cannot be shown"),
        (("redact", "Picasso", "--undo"), "is not redacted"),
    ],
)
def test_what_cannot_be_redacted_is_said(kept, typed, monkeypatch, words, says):
    monkeypatch.chdir(kept.folder)

    done = typed(*words)

    assert done.code == 2
    assert says in done.err
    assert Repository.open(kept.folder).redactions == {}


def test_a_flipped_byte_of_the_list_is_found(kept):
    kept.redact("Picasso", "X")
    file = kept.folder / ".unlearnlog/redactions"
    file.write_bytes(file.read_bytes().replace(b"Picasso", b"Pikasso"))

    (damage,) = kept.fsck()

    assert damage.path == "redactions"
