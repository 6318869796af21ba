import io

import pytest
from rich.console import Console

from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import share
from unlearnlog.report.reading_rows import ReadingRows

PROBES = ("ua", "damage.composition", "damage.look-alike", "resurgence.reject")


def shown(width):
    """The lines that readings take on a terminal of so many characters."""
    console = Console(width=width, record=True, file=io.StringIO())
    rows = [
        reading(About(name, "(empty prompt)", "lower"), share(3, 1440), 0.5)
        for name in PROBES
    ]
    console.print(ReadingRows(rows))
    return [line.rstrip() for line in console.export_text().splitlines()]


@pytest.mark.parametrize("width", [80, 100, 140])
def test_every_name_and_number_stands_whole_on_one_line(width):
    lines = shown(width)

    for name in PROBES:
        (row,) = (line for line in lines if line.split()[:1] == [name])
        assert "0.002" in row
        assert "1440" in row
        assert row.endswith("0.500") or width > 80
    assert not [line for line in lines if "…" in line]
    assert max(map(len, lines)) <= width


def test_what_a_reading_means_stands_beside_it_or_below():
    wide, narrow = shown(140), shown(80)

    (row,) = (line for line in wide if line.split()[:1] == ["ua"])
    assert row.endswith("no longer shown")
    assert "ua: no longer shown; " in " ".join(narrow)
    assert "ua: " not in " ".join(wide)


def test_what_has_no_readings_has_no_meanings():
    console = Console(width=20, record=True, file=io.StringIO())

    console.print(ReadingRows([]))

    assert ":" not in console.export_text()
