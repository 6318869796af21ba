import io

import pytest
from rich.console import Console

from tests.histories import shown as presence
from tests.screens import about, earlier, everything_else, number
from unlearnlog.core.reading_registry import MEANINGS
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import share
from unlearnlog.report.reading_rows import ReadingRows, by_question

PROBES = ("ua", "damage.composition", "damage.look-alike", "resurgence.reject")


def text_of(explained, width):
    """The lines that readings take on a terminal of so many characters."""
    console = Console(width=width, record=True, file=io.StringIO())
    console.print(explained)
    return [line.rstrip() for line in console.export_text().splitlines()]


def some(width):
    rows = [
        reading(About(name, "(empty prompt)", "lower"), share(3, 1440), 0.5)
        for name in PROBES
    ]
    return text_of(ReadingRows(rows), width)


@pytest.mark.parametrize("width", [90, 120, 200])
def test_every_title_and_number_stands_whole_on_one_line(width):
    lines = some(width)

    for name in PROBES:
        (row,) = (line for line in lines if MEANINGS[name].called in line)
        assert "0.002" in row
        assert "1440" in row
        assert "0.500" in row
    assert not [line for line in lines if "…" in line]
    assert max(map(len, lines)) <= width


def test_the_name_and_what_is_read_stand_beside_it_where_there_is_room():
    wide, middle, narrow = some(200), some(110), some(80)

    (row,) = (line for line in wide if "gone (UA)" in line)
    assert row.split()[2] == "ua"
    assert row.endswith(MEANINGS["ua"].says)
    (row,) = (line for line in middle if "gone (UA)" in line)
    assert row.split()[2] == "ua"
    assert "meaning" not in " ".join(middle)
    (head,) = (line for line in narrow if "95 % interval" in line)
    assert "name" not in head


def test_readings_stand_under_the_questions_that_they_answer():
    readings = [*earlier("Klimt"), *everything_else(), *about()]

    lines = text_of(ReadingRows(readings, titled=True), 120)

    asked = [line for line in lines if line.endswith("?")]
    assert asked == [
        "Is it gone?",
        "Is everything else kept?",
        "What is painted instead?",
        "How far have weights and predictions moved?",
        "Does anything come back?",
        "Which concepts are still shown?",
    ]
    at = [i for i, line in enumerate(lines) if line in ("Is it gone?", asked[1])]
    assert any("its other names" in line for line in lines[at[0] : at[1]])


def test_no_reading_is_left_out_and_what_lost_most_comes_first():
    kept = [presence(name, n, 16) for name, n in (("cat", 16), ("dog", 3), ("car", 9))]
    gone = presence("Picasso", 1, erased=True)

    (group,) = by_question([*kept, gone]).values()

    assert [r.concept for r in group] == ["Picasso", "dog", "car", "cat"]


def test_a_reading_of_a_later_program_is_listed_by_its_name():
    new = presence("Picasso", 1).model_copy(update={"probe": "later.new"})

    text = "\n".join(text_of(ReadingRows([new], titled=True), 80))

    assert "What else was read?" in text
    assert "later.new" in text


def test_tables_of_one_entry_stand_in_line():
    readings = [*about(), number("self-mi", "Picasso", 40.84), *everything_else()]

    lines = text_of(ReadingRows(readings, titled=True), 160)

    heads = [line for line in lines if "95 % interval" in line]
    assert len(heads) > 3
    assert len({line.index("95 % interval") for line in heads}) == 1


def test_what_has_no_readings_has_no_table():
    assert "reading" not in " ".join(text_of(ReadingRows([]), 20))
