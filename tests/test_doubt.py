"""An erasure is claimed where the pictures say so, and nowhere else."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from tests.histories import DIGEST, WORLD, shown, some_findings, step
from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands import evaluation
from unlearnlog.commands.more_samples import closer, enough
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.core.doubt import doubts
from unlearnlog.core.entry import Drop, Entry, EntryId
from unlearnlog.core.limits import N_LEAST, Limit
from unlearnlog.core.probe_case import ProbeCase
from unlearnlog.core.reading import Reading
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.findings.headlines import headlines, reasons
from unlearnlog.findings.judgement import judgement
from unlearnlog.findings.triangle import triangle
from unlearnlog.policy import Policy
from unlearnlog.probes.runner import ConceptCases, ProbePlan
from unlearnlog.probes.statistics import share
from unlearnlog.report.entry_tables import log_table
from unlearnlog.report.formatting import outcome, why_it_rises
from unlearnlog.report.html_page import caption, html
from unlearnlog.report.log_graph import graph_lines
from unlearnlog.report.markdown_page import markdown

OPEN = "ua of Picasso is 0.900, must be at least 0.95, but n is 15: a limit needs 92"
ACCEPTED = VerdictRecord(passed=False, accepted=True, undecided=(OPEN,))
BOOK = PromptBook(WORLD)


def ua(hits: int, n: int, concept: str = "Picasso", probe: str = "ua") -> Reading:
    found = share(hits, n)
    return Reading(
        probe=probe,
        concept=concept,
        value=found.value,
        unit="share",
        n=n,
        low=found.low,
        high=found.high,
        better="higher",
        base=1.0,
    )


def chain(*entries: Entry) -> list[tuple[EntryId, Entry]]:
    return [(entry.id, entry) for entry in entries]


def table(*entries: Entry, width: int = 160) -> str:
    console = Console(width=width, file=io.StringIO(), record=True)
    console.print(log_table(chain(*entries), entries[-1].id))
    return console.export_text()


def test_a_limit_whose_whole_interval_lies_beyond_it_fails_whatever_n_is():
    """Of 90 pictures 0 had lost Hokusai, limit .9, and the verdict was "undecided":
    with --accept-undecided it was recorded, and every list said that he is erased.
    """
    limit = Limit(reading="ua", at_least=0.9)

    found = limit.verdict([ua(0, 90)])

    assert found.failures == ("ua of Picasso is 0.000, must be at least 0.9",)
    assert not found.undecided


@pytest.mark.parametrize("n", [4, 12, 40, 91, 92, 400])
@pytest.mark.parametrize("least", [0.3, 0.9, 0.95])
@pytest.mark.parametrize("on", ["value", "interval"])
def test_what_a_limit_says_of_a_share_is_what_its_interval_allows(n, least, on):
    limit = Limit(reading="ua", at_least=least, on=on)

    for hits in range(n + 1):
        reading, found = ua(hits, n), limit.verdict([ua(hits, n)])
        held = (reading.value if on == "value" else reading.low) >= least
        if reading.high < least:
            assert found.failures
            assert not found.undecided
        elif n >= N_LEAST:
            assert bool(found.failures) is not held
            assert not found.undecided
        else:
            assert not found.failures
            assert bool(found.undecided) is (reading.low < least)
            assert bool(found.screens) is bool(found.undecided)


def test_few_pictures_do_not_say_that_a_concept_is_gone():
    """24 of 24 pictures without it leave room for 14 % with it, and .95 was asked."""
    gone = Limit(reading="ua", at_least=0.95)
    kept = Limit(reading="ira", at_least=0.95)

    assert gone.verdict([ua(24, 24)]).screens
    assert not kept.verdict([ua(24, 24, probe="ira")]).screens


@pytest.mark.parametrize(("per_cell", "least"), [(6, 92), (1, 92), (2, 5), (6, 0)])
def test_a_panel_that_lost_cells_has_more_seeds_of_the_rest(per_cell, least):
    cell = ProbeCase("a cat by Picasso", 0, "cat", "Picasso")

    found = enough(lambda n: [cell] * 15 * n, per_cell, least)

    assert len(found) >= max(least, 15 * per_cell)
    assert len(found) < max(least, 15 * per_cell) + 15


def test_nothing_makes_cells_of_none():
    assert enough(lambda _: (), 6, 92) == ()


@pytest.mark.parametrize(
    "reading",
    [
        ua(15, 16),
        ua(2, 3, probe="ira"),
        shown("Braque", 3, 4),
        shown("cat", 1, 4, erased=True),
        ua(3, 4, probe="nra"),
    ],
    ids=lambda r: f"{r.probe} of {r.concept}",
)
def test_the_second_look_has_as_many_pictures_as_decide(reading):
    """A user's own world of a few concepts was looked at again with 6 pictures a cell,
    24 in all, and left undecided: "a limit needs 92".
    """
    picasso = WORLD.concepts["Picasso"]
    gone = {"Picasso", "cat"}
    asked = ProbePlan(
        (
            ConceptCases(
                picasso,
                erased=BOOK.alone(picasso, 2, gone),
                information=(),
                near=frozenset({"Braque"}),
            ),
        ),
        kept=BOOK.kept(gone, 1),
        earlier={"cat": BOOK.alone(WORLD.concepts["cat"], 1, gone)},
    )

    ((found, more),) = closer(asked, BOOK, [reading])

    assert found == [reading]
    cells = {
        "ua": [c for q in more.about for c in q.erased],
        "ira": more.kept,
        "nra": [c for c in more.kept if c.style == "Braque"],
        "presence": [
            *(c for c in more.kept if c.style == "Braque"),
            *(c for some in more.earlier.values() for c in some),
        ],
    }[reading.probe]
    assert len({*cells}) == len(cells) >= N_LEAST


def test_what_was_accepted_in_doubt_is_marked_wherever_it_is_listed():
    """`log`, `status`, the card and the JSON (`"passed": true`) all said "erased"."""
    one = step(1, ["Picasso"], ["Picasso"], [ua(9, 10)], ACCEPTED)
    history = chain(one.entry)
    entry = one.entry
    doubted = doubts(history)
    steps = [type(one)(1, entry, one.live, one.names, doubted)]
    found = some_findings(steps, ())

    assert doubted == {"Picasso": (OPEN,)}
    assert entry.row()["verdict"]["passed"] is False
    assert entry.row()["verdict"]["accepted"] is True
    assert "in doubt" in table(entry)
    (line, _) = graph_lines(dict(history), {"heads/main": entry.id}, "heads/main")
    assert "[in doubt]" in line.plain
    assert outcome(entry) == "? undecided, accepted"
    harm = next(h for h in found.graph.harm[0] if h.concept == "Picasso")
    assert harm.status == "doubtful"
    assert "in doubt" in caption(harm)
    for page in (html(found), markdown(found)):
        assert "1 concept erased" not in page
        assert "Erasure of 1 concept from atelier: undecided" in page
        assert OPEN in page


def test_a_record_of_before_there_was_accepted_reads_as_one_of_today():
    """Their bytes stay as they are: an entry's id is their hash."""
    old = VerdictRecord(passed=True, undecided=(OPEN,))

    assert json.loads(old.model_dump_json()) == {
        "passed": True,
        "failures": [],
        "undecided": [OPEN],
    }
    assert not old.holds
    assert old.may_stand
    assert old.row() == ACCEPTED.row()
    assert doubts(chain(step(1, ["Picasso"], [], [ua(9, 10)], old).entry))


def test_failures_are_accepted_by_those_alone_who_accept_failures():
    assert not VerdictRecord.of(("a",), ("b",), accepts_doubt=True).may_stand
    assert VerdictRecord.of(("a",), (), accepts_failure=True).accepted
    assert VerdictRecord.of((), ("b",), accepts_doubt=True).accepted
    assert VerdictRecord.of((), (), accepts_doubt=True) == VerdictRecord(passed=True)


def test_an_erasure_that_nobody_measured_or_whose_pictures_show_it_is_in_doubt():
    unread = step(1, ["Monet"], []).entry
    shows = step(2, ["cat"], [], [shown("cat", 90, erased=True)]).entry
    shows = shows.model_copy(update={"parent": unread.id})
    fine = step(3, ["castle"], [], [shown("castle", 1, erased=True)]).entry
    fine = fine.model_copy(update={"parent": shows.id})

    found = doubts(chain(unread, shows, fine))

    assert found["Monet"] == ("its erasure was not measured",)
    assert "94% of its pictures show it" in found["cat"][0]
    assert found.keys() == {"Monet", "cat"}


def test_a_doubt_of_a_batch_is_of_the_concept_that_it_names():
    verdict = VerdictRecord(passed=True, undecided=(OPEN,))
    readings = [ua(9, 10), ua(96, 96, "Monet")]
    both = step(1, ["Picasso", "Monet"], [], readings, verdict).entry

    assert doubts(chain(both)).keys() == {"Picasso"}


def test_of_a_batch_the_log_shows_the_worst():
    """It showed the last one: UA .98 of a batch in which another one had .01."""
    readings = [ua(1, 100), ua(98, 100, "Monet")]
    both = step(1, ["Picasso", "Monet"], [], readings).entry

    shown_in = table(both)

    assert "0.010" in shown_in
    assert "0.980" not in shown_in


def test_no_headline_claims_what_was_not_looked_at():
    """ "4 concepts erased" stood above "no erased concept was judged"."""
    blind = step(1, ["Monet"], ["Monet"], [ua(96, 96, "Monet")])

    found = judgement([blind], Policy.load("fast"), "atelier")

    assert found.word == "passed"
    assert "no picture was judged" in found.headline


def test_the_outlined_cell_of_a_reverted_concept_is_the_one_that_erased_it():
    """The outline was around the last entry before the revert."""
    steps = [
        step(1, ["Picasso"], ["Picasso"], [shown("Picasso", 0, erased=True)]),
        step(2, ["Monet"], ["Picasso", "Monet"], [shown("Monet", 0, erased=True)]),
        step(
            3,
            ["Picasso"],
            ["Monet"],
            kind="revert",
            changes=(Drop(entry=EntryId(DIGEST)),),
        ),
    ]

    rows = {row.concept: row for row in triangle(steps)}

    assert rows["Picasso"].since == 1
    assert rows["Monet"].since == 2


def test_a_concept_erased_again_is_outlined_where_it_was_last():
    live: tuple[list[str], ...] = (["cat"], [], ["cat"], ["cat"])
    steps = [step(i, ["cat"], names) for i, names in enumerate(live, 1)]

    assert triangle(steps)[0].since == 3


def test_the_label_of_a_revert_does_not_read_as_an_erasure():
    back = step(
        2, ["Picasso"], [], kind="revert", changes=(Drop(entry=EntryId(DIGEST)),)
    )

    assert back.label == "revert Picasso"
    assert step(1, ["Picasso"], ["Picasso"]).label == "Picasso"


def test_a_rise_of_self_mi_beneath_a_good_verdict_is_explained():
    """4.65 to 40.85 nats stood under a green mark, and nobody said why."""

    def nats(probe, value, base, concept="Picasso"):
        data = {"probe": probe, "concept": concept, "value": value, "base": base}
        ends = {"low": value - 0.5, "high": value + 0.5}
        return Reading.model_validate(
            {**data, **ends, "unit": "nats", "n": 16, "better": "lower"}
        )

    rising, gone = nats("self-mi", 40.85, 4.65), nats("judge-mi", 0.0, 2.6)

    assert "from 4.65 to 40.85 nats" in why_it_rises([rising, gone])
    assert why_it_rises([rising, nats("judge-mi", 2.5, 2.6)]) == ""
    assert why_it_rises([nats("self-mi", 0.1, 4.65), gone]) == ""
    concept = Concept("Picasso", "style")
    assert concept.name in why_it_rises([rising, gone])


def test_a_panel_that_decided_decides_after_other_erasures():
    """After one subject was erased, 90 pictures of Hokusai were left of 96, and what
    they all showed was "undecided": a limit needs 92.
    """
    policy = Policy.load("fast")
    book = PromptBook(world())
    hokusai = book.world.concepts["Hokusai"]
    gone = [
        book.world.concepts[name] for name in ("cat", "dog", "car", "fish", "Monet")
    ]

    all_gone = {each.name for each in (hokusai, *gone)}
    asked = evaluation._plan(book, policy, [hokusai], gone=all_gone, target="anchor")

    (about,) = asked.about
    assert len(about.erased) >= N_LEAST
    assert len(asked.kept) >= N_LEAST
    names = {each.name for each in gone}
    assert not any({c.subject, c.style} & names for c in (*about.erased, *asked.kept))


def test_a_doubt_is_of_the_whole_name_and_not_of_a_part_of_it():
    """ "ua of Joan of Arc is ..." was taken for one of Arc, and Joan was claimed."""
    text = OPEN.replace("Picasso", "Joan of Arc")
    verdict = VerdictRecord(passed=False, accepted=True, undecided=(text,))
    readings = [ua(9, 10, "Joan of Arc"), ua(96, 96, "Arc")]
    both = step(1, ["Joan of Arc", "Arc"], [], readings, verdict).entry

    assert doubts(chain(both)).keys() == {"Joan of Arc"}


@pytest.mark.parametrize("limits", [[], [{"reading": "drift", "at_most": 9.0}]])
def test_what_no_limit_asks_and_nobody_looked_at_is_not_erased(limits):
    """An erasure that changed nothing read its drift, and was listed as erased."""
    moved = Reading(
        probe="bound-mi",
        concept="cat",
        value=118.0,
        unit="nats",
        n=4,
        low=100.0,
        high=130.0,
        better="lower",
        base=118.0,
    )
    unasked = step(1, ["cat"], [], [moved], rules={"limits": limits}).entry
    asked = step(1, ["cat"], [], [moved], rules={"limits": [{"reading": "bound-mi"}]})

    assert doubts(chain(unasked)) == {"cat": ("its erasure was not measured",)}
    assert doubts(chain(asked.entry)) == {}
    assert "in doubt" in table(unasked)
    assert outcome(unasked).startswith("? undecided")
    assert reasons(unasked, headlines(unasked)) == ("its erasure was not measured",)


def test_pictures_that_may_show_it_are_a_doubt_where_no_limit_asked_of_them():
    shows = [ua(9, 15, "cat"), shown("cat", 6, 15, erased=True)]
    unasked = step(1, ["cat"], [], shows, rules={"limits": []}).entry
    asked = step(1, ["cat"], [], shows, rules={"limits": [{"reading": "ua"}]}).entry

    assert (
        "40% of its pictures show it (20% to 64%, n = 15)"
        in doubts(chain(unasked))["cat"]
    )
    assert doubts(chain(asked)) == {}


def test_what_a_later_entry_says_holds_until_it_is_read_anew_or_taken_back():
    open_ = "presence of cat is 0.271, must be at most 0.25, but n is 48"
    fine = [shown("cat", 0, erased=True)]
    first = step(1, ["cat"], [], [ua(96, 96, "cat"), *fine]).entry
    second = step(
        *(2, ["dog"], [], [ua(96, 96, "dog"), shown("cat", 13, 48, erased=True)]),
        VerdictRecord(passed=False, accepted=True, undecided=(open_,)),
    ).entry
    third = step(3, ["castle"], [], [ua(96, 96, "castle"), *fine]).entry
    second = second.model_copy(update={"parent": first.id})
    third = third.model_copy(update={"parent": second.id})

    assert doubts(chain(first, second))["cat"] == (open_,)
    assert "cat" not in doubts(chain(first, second, third))


def test_what_nobody_read_after_is_in_doubt_since_then():
    """After `revert --no-probes` the report knew nothing of the model, and listed
    what is erased from it.
    """
    first = step(1, ["cat"], [], [ua(96, 96, "cat")]).entry
    back = step(2, ["dog"], [], [], kind="revert").entry
    back = back.model_copy(update={"parent": first.id})

    (why,) = doubts(chain(first, back))["cat"]

    assert why == f"nothing was read after entry {back.id[:12]}"
