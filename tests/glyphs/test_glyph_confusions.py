"""The judge's confusions by family, and their table, on made-up answers."""

import pytest

from docs.glyph_confusions import glyph_confusions_table
from recipes.glyphs.confusions import MOST, by_family
from unlearnlog.core.probe_case import REJECT, Answer


def judged(*rows):
    """Return rows of (asked, said) subjects, all in one style that is read rightly."""
    return [(Answer(a, "Noto"), Answer(b, "Noto")) for a, b in rows]


def test_an_answer_counts_in_the_family_of_what_was_asked():
    kinds = {"real": judged(("cat face", "horse"), ("weary cat", "weary cat"))}

    found = by_family(kinds, "subject")

    assert found["animal-mammal"]["real"]["right"] == 0
    assert found["cat-face"]["real"] == {"n": 1, "right": 1, "inside": 0, "wrong": []}


def test_a_wrong_answer_of_the_same_family_is_told_from_one_of_another():
    kinds = {"real": judged(("horse", "cat"), ("horse", "bell"), ("horse", REJECT))}

    found = by_family(kinds, "subject")["animal-mammal"]["real"]

    assert (found["n"], found["right"], found["inside"]) == (3, 0, 1)


def test_the_commonest_wrong_answer_comes_first_and_few_are_kept():
    often = [("horse", "dog")] * 3
    rare = [("horse", other) for other in ("cat", "fox", "wolf")]

    found = by_family({"real": judged(*rare, *often)}, "subject")

    wrong = found["animal-mammal"]["real"]["wrong"]
    assert wrong[0] == ["horse", "dog", 3]
    assert len(wrong) == MOST


def test_a_style_without_a_studio_is_its_own_family():
    said = [(Answer("cat", "Twemoji"), Answer("cat", "Noto"))]
    said += [(Answer("cat", "Noto"), Answer("cat", "Blobs"))]

    found = by_family({"painted": said}, "style")

    assert [*found] == ["Google", "Twemoji"]
    assert found["Google"]["painted"]["inside"] == 1
    assert found["Twemoji"]["painted"]["inside"] == 0


@pytest.fixture
def counted():
    right = {"n": 50, "right": 50, "inside": 0, "wrong": []}
    cats = {"n": 40, "right": 36, "inside": 3, "wrong": [["cat", "fox", 3]]}
    books = {"n": 10, "right": 9, "inside": 0, "wrong": [["ledger", "", 1]]}
    subjects = {"animal-mammal": {"real": cats}, "book-paper": {"real": books}}
    return {"subject": subjects, "style": {"Google": {"real": right}}}


def rows_of(table):
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = [[part.strip() for part in line.split("|")[1:-1]] for line in lines[2:]]
    return {row[0]: row[1:] for row in rows}


def test_a_row_has_the_share_its_interval_and_what_is_said_instead(counted):
    rows = rows_of(glyph_confusions_table(counted))

    assert rows["animal-mammal"][:2] == [
        "0.900 (0.769 to 0.960) of 40",
        "cat as fox, 3",
    ]
    assert rows["book-paper"][1] == "ledger as an empty page, 1"
    assert rows["animal-mammal"][2:] == [""] * 4


def test_all_families_are_summed_for_each_slot(counted):
    rows = rows_of(glyph_confusions_table(counted))

    assert rows["**all subjects**"][0] == "0.900 (0.786 to 0.957) of 50"
    assert rows["**all styles**"][0] == "1.000 (0.929 to 1.000) of 50"


def test_the_share_of_mistakes_within_a_family_is_said(counted):
    assert "3 of 5 (real drawings)" in glyph_confusions_table(counted)
