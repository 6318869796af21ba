"""What a command recorded is said in one screen, whatever it is, however wide."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from rich.cells import cell_len

from tests.histories import shown
from tests.screens import (
    DEFAULT,
    KEPT,
    about,
    earlier,
    entry_of,
    everything_else,
    number,
    read,
    screen,
)
from unlearnlog.core.visible import visible
from unlearnlog.report.screenful import ROWS

BACK = "unlearnlog reset HEAD~1"
WIDTHS = (60, 72, 80, 120, 4096)
NUMBER = re.compile(r"-?\d+\.\d{2,}")
LONG = "Vincent van Gogh, the painter of sunflowers and of starry nights over Arles"


def row(lines, beginning):
    """Return the line that begins so, behind its sign."""
    (found,) = [line for line in lines if line[2:].startswith(beginning)]
    return found


def well(*more):
    return entry_of((*about(), *everything_else(), *more))


def test_an_erasure_that_holds_is_a_verdict_eight_lines_and_two_commands():
    entry = well()

    lines = screen(entry, back=BACK)

    assert lines[0].startswith(f"✓ Picasso is erased: entry {entry.id[:12]} by ridge")
    assert lines[0].endswith("policy default holds")
    assert [line[2:24].rstrip() for line in lines[2:10]] == [
        "gone",
        "its other names",
        "own kind kept",
        "other kind kept",
        "worst kept, 0 of 5 los",
        "look-alike kept: Braqu",
        "target shown instead",
        "drift (nats): (kept)",
    ]
    assert lines[10:] == [
        f"all of it:    unlearnlog show {entry.id[:12]}",
        f"take it back: {BACK}",
    ]


def test_each_line_has_its_value_interval_n_limit_and_sign():
    lines = screen(well())

    assert re.search(
        r"1\.000 +0\.962 to 1\.000 +96 +at least 0\.95$", row(lines, "gone")
    )
    assert row(lines, "gone").startswith("✓ ")
    assert re.search(r"0\.992 .* 256 +at least 0\.941$", row(lines, "other kind kept"))
    assert row(lines, "drift").startswith("  ")
    assert re.search(r"0\.11 +0\.01 to 0\.21 +16 +base 0\.00$", row(lines, "drift"))


def test_numbers_stand_below_each_other():
    lines = screen(well())

    for what in (NUMBER, re.compile(r" to -?[\d.]+ +(\d+)")):
        ends = {found.end() for line in lines[2:10] if (found := what.search(line))}
        assert len(ends) == 1


def test_a_refusal_begins_with_the_limits_that_fail():
    kept = everything_else(("Monet", "Renoir", "cat", "dog"))
    readings = (*about(), *kept, shown("Braque", 20), shown("Klimt", 30))
    entry = entry_of(readings)

    lines = screen(entry)

    assert lines[0].startswith("✕ refused, nothing recorded: Picasso by ridge")
    assert "policy default; fails: worst kept: Braque" in " ".join(lines[:2])
    (first,) = [i for i, line in enumerate(lines) if line.endswith("limit")]
    assert lines[first + 1].startswith("✕ worst kept, 2 of 6 not met: Braque")
    assert "at least 0.75" in lines[first + 1]
    assert row(lines, "gone").startswith("✓")
    assert not [line for line in lines if "unlearnlog show" in line]


def test_a_failed_limit_that_is_none_of_the_eight_is_shown_all_the_same():
    readings = [r for r in about() if r.probe != "lands.reject"]
    noise = read("lands.reject", "Picasso", 90, base=0.0)

    lines = screen(entry_of((*readings, noise, *everything_else())))

    (first,) = [i for i, line in enumerate(lines) if line.endswith("limit")]
    assert lines[first + 1].startswith("✕ nothing known instead")
    assert sum(line.startswith(("✓", "✕", "  ")) for line in lines[first + 1 :]) == 8


def test_doubt_that_was_accepted_stands_in_the_verdict():
    few = read("ua.alias", "Picasso", 26, 30, base=0.0)
    readings = [few if r.probe == "ua.alias" else r for r in about()]
    entry = entry_of((*readings, *everything_else()), accepted=True)

    lines = screen(entry, back=BACK)

    assert lines[0].startswith("? Picasso is erased IN DOUBT, entry ")
    assert "not met: its other names" in " ".join(lines[:2])
    assert row(lines, "its other names").startswith("?")
    assert lines[-1] == f"take it back: {BACK}"


def test_what_was_not_measured_is_not_said_to_hold():
    entry = entry_of((), accepted=True)

    lines = screen(entry)

    assert "IN DOUBT" in lines[0]
    assert "there is no reading of" in " ".join(lines)


def test_of_a_batch_the_worst_is_named_beside_how_many_there_are():
    names = ("Picasso", "cat", "castle")
    worse = read("ua", "cat", 92, base=0.0)
    each = [r for name in names for r in about(name) if r.probe == "lands.anchor"]
    gone = (read("ua", "Picasso", base=0.0), worse, read("ua", "castle", base=0.0))
    entry = entry_of((*gone, *each, *everything_else(("Monet",))), names=names)

    lines = screen(entry, said="Picasso, cat, castle are erased")

    assert "0.958" in row(lines, "gone, worst of 3: cat")


@pytest.mark.parametrize(
    ("back", "said", "sign"),
    [
        ((), "came back, 0 of 2 erased earlier", "✓"),
        (("Klimt",), "came back, 1 of 2 erased earlier: Klimt", "✕"),
    ],
)
def test_one_line_is_about_what_was_erased_earlier(back, said, sign):
    entry = well(*earlier(*back))

    lines = screen(entry, width=100)

    assert row(lines, said).startswith(sign)
    assert not [line for line in lines if "concepts that came back" in line]


def test_a_revert_says_what_is_there_again_and_what_is_still_gone():
    readings = (
        shown("Klimt", 0, 32, erased=True),
        shown("Picasso", 15, 16),
        *(shown(name, 16, 16) for name in KEPT),
    )
    entry = entry_of(readings, kind="revert").model_copy(
        update={"verdict": entry_of(()).verdict.of((), ())}
    )

    lines = screen(entry, said="Picasso left out", width=100)

    assert "0.938" in row(lines, "given back: Picasso")
    assert "0.000" in row(lines, "shown, erased: Klimt")
    assert row(lines, "worst kept, 0 of 5 lost: Braque")


def test_without_a_judge_nats_are_what_there_is():
    policy = DEFAULT.model_copy(update={"limits": ()})
    nats = (number("bound-mi", "Picasso", 15.94, base=57.63), *everything_else()[-2:])

    lines = screen(entry_of(nats, policy=policy))

    assert re.search(r"15\.94 .* base 57\.63$", row(lines, "nats to target"))


def test_a_limit_on_a_whole_interval_says_so():
    data = DEFAULT.model_dump()
    data["limits"] = ({"reading": "ua", "at_least": 0.95, "on": "interval"},)
    policy = type(DEFAULT).of(data, "strict")

    lines = screen(entry_of(about(), policy=policy))

    assert row(lines, "gone").endswith("low at least 0.95")


def test_notes_stand_between_the_readings_and_the_commands():
    lines = screen(well(), back=BACK, notes=("solved and added are 0 % apart",))

    assert lines[-3] == "solved and added are 0 % apart"


def stretched(name):
    """Return a batch with earlier erasures in which every line is about one name."""
    failing = read("ua", name, 20, base=0.0)
    rest = [r for r in about(name) if r.probe != "ua"]
    other = (*about("Picasso"), read("lands.reject", "cat", 90, base=0.0))
    kept = everything_else((*KEPT, name), about=name)
    kept += (read("ira", "cat, dog", base=1.0), read("cra", "cat, dog", base=1.0))
    came = (*earlier(name, of=(name, "Klimt")), number("bound-mi", name, -123.456))
    return (failing, *rest, *other, *kept, *came)


NAMES = st.one_of(
    st.just(LONG),
    st.text(st.characters(codec="utf-8"), min_size=1, max_size=80),
    st.text("界面藝術 ", min_size=1, max_size=80),
    st.text("e\u0301\u200da\u202e\x1b[m\n", min_size=1, max_size=40),
)


@settings(max_examples=40, deadline=None)
@example(name=LONG, width=60, accepted=True)
@given(name=NAMES, width=st.integers(60, 140), accepted=st.booleans())
def test_no_screen_is_longer_or_wider_than_a_terminal(name, width, accepted):
    entry = entry_of(stretched(name), accepted=accepted)
    notes = (f"stale: {name}", f"furthest: {name}")

    lines = screen(entry, width=width, said=f"{name} is erased", back=BACK, notes=notes)

    assert len(lines) <= ROWS
    assert max(map(cell_len, lines)) <= width
    assert all(visible(line) == line for line in lines)


@pytest.mark.parametrize("width", [10, 24, 32, 40, 48])
def test_a_narrower_terminal_loses_no_number_either(width):
    entry = well(*earlier())
    whole = {*NUMBER.findall("\n".join(screen(entry, width=200)))}

    lines = screen(entry, width=width, back=BACK)

    limits = {"0.950", "0.941"}
    shown_ = {*NUMBER.findall("".join(lines))}
    assert max(map(cell_len, lines)) <= width
    assert whole - limits - shown_ <= {"0.95", "0.941", "0.85", "0.75"}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_number_is_lost_where_it_is_sixty_wide_or_more(width):
    entry = entry_of(stretched(LONG))
    whole = NUMBER.findall("\n".join(screen(entry, width=200)[1:]))

    found = NUMBER.findall("\n".join(screen(entry, width=width)[1:]))

    assert sorted(found) == sorted(whole)
