"""Attacks in a report: what was tried, how it did, beside what chance alone brings."""

from dataclasses import replace

from tests.histories import DIGEST, some_findings, step
from unlearnlog.core.attack_record import AttackRecord
from unlearnlog.findings.attack_history import attacks
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import share
from unlearnlog.report.html_page import html
from unlearnlog.report.markdown_page import markdown


def attempt(attack, concept, verdict):
    return AttackRecord(
        attack=attack,
        concept=concept,
        object=DIGEST,
        budget={"steps": 10},
        best_of=3,
        state=DIGEST,
        verdict=verdict,
    )


def a_history():
    found = About("attack.recovery", "Picasso", "lower")
    other = About("attack.recovery", "cat", "lower")
    read = reading(found, share(90, 96), 0.125), reading(other, share(0, 96), 0.0)
    tried = (
        attempt("recovery", "Picasso", "reached"),
        attempt("recovery", "cat", "not reached"),
        attempt("prefix", "Picasso", "undecided"),
    )
    first = step(1, ["Picasso"], ["Picasso"])
    return [first.entry, step(2, [], [], read, kind="audit", attacks=tried).entry]


def test_each_attack_comes_with_its_own_concept_s_reading():
    picasso, cat, prefix = attacks(a_history())

    assert (picasso.concept, picasso.verdict) == ("Picasso", "reached")
    assert picasso.shown is not None
    assert (picasso.shown.value, picasso.shown.base) == (90 / 96, 0.125)
    assert cat.shown is not None
    assert cat.shown.value == 0
    assert prefix.shown is None
    assert {each.best_of for each in attacks(a_history())} == {3}


def test_a_report_shows_them_and_says_so_without_colour():
    found = replace(some_findings(), attacks=attacks(a_history()))

    page, text = html(found), markdown(found)

    for made in (page, text):
        assert "Can it be brought back?" in made
        assert "not read" in made or "| prefix | ? undecided |" in made
        assert made.count("recovery") == 2
    assert "| recovery | ✕ reached | 93.8 % |" in text
    assert "<td>recovery</td>" in page
    assert '<span aria-hidden="true">✕</span> reached' in page


def test_a_report_of_a_history_without_attacks_says_nothing_of_them():
    assert "brought back" not in html(some_findings())
    assert "brought back" not in markdown(some_findings())
