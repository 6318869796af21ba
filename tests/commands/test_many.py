"""Many concepts at once: rows that are refused, the sample, and later erasures."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.tiny import build_pipeline
from unlearnlog.commands.many_concepts import drawn, pooled_cases, sample_of
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.core.digest import Digest
from unlearnlog.core.doubt import own_doubts
from unlearnlog.core.entry import Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.limits import MANY, N_LEAST
from unlearnlog.core.probe_case import Answer
from unlearnlog.core.sample_name import few_of
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.probes.evidence import CaseResult, ErasedEvidence, Evidence
from unlearnlog.probes.picture_probe import About, reading
from unlearnlog.probes.statistics import share
from unlearnlog.probes.unlearning import UnlearningAccuracy

POLICY = """
name = "one"
judge = "base"
[eraser]
name = "uce"
texts = "names"
span = "last"
[sampling]
steps = 1
guidance = 1.0
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
kept_share = 0.1
earlier = 1
information = 1
[require]
base_presence = {presence}
[[limits]]
reading = "ua"
at_least = 0.5
"""


@pytest.fixture(scope="module")
def styles():
    return [Concept(f"Ada Kord {i}", "style") for i in range(1000)]


def book_with(concepts):
    return PromptBook(ConceptSet.read(GENERAL).knowing(concepts))


def test_of_a_thousand_one_picture_each_of_as_many_as_a_limit_needs(styles):
    some = sample_of(styles)

    (group,) = pooled_cases(book_with(some), styles, {c.name for c in styles})

    assert group.concept.name == "92 of 1,000 styles"
    assert len(group.erased) == N_LEAST
    assert {cell.style for cell in group.erased} == {c.name for c in some}


def test_of_fewer_each_is_painted_equally_often(styles):
    few = styles[:30]

    (group,) = pooled_cases(book_with(few), few, {c.name for c in few})

    counts = [sum(c.style == each.name for c in group.erased) for each in few]
    assert counts == [4] * 30
    assert len({(c.prompt, c.seed) for c in group.erased}) == 120


def test_a_draw_depends_on_names_and_not_on_their_order(styles):
    assert drawn(styles, 10) == drawn(styles[::-1], 10)
    assert drawn(styles, 10) != tuple(styles[:10])


def test_a_sample_reads_one_share_of_all_its_pictures(styles):
    few = styles[:30]
    (group,) = pooled_cases(book_with(few), few, ())
    still = {few[0].name, few[1].name}
    seen = tuple(
        CaseResult(
            cell,
            Answer(cell.subject, cell.style),
            Answer(cell.subject, cell.style if cell.style in still else "photo"),
        )
        for cell in group.erased
    )

    (found,) = UnlearningAccuracy().readings(
        Evidence((ErasedEvidence(group.concept, erased=seen),))
    )

    assert (found.concept, found.n) == ("30 of 30 styles", 120)
    assert found.value == pytest.approx(112 / 120)
    assert found.base == 0


def test_wrong_rows_are_named_and_the_rest_is_written_before_any_work(typed, tmp_path):
    names = tmp_path / "names.csv"
    names.write_text("name,kind,aliases\nPicasso,,\nPikasso,,\nMonet,,\nmonet,,\n")

    done = typed("add", "--from", str(names), "--json")

    assert done.code == 2
    told = json.loads(done.out)["error"]
    error = told["message"]
    assert "2 of 4 rows" in error
    assert "line 3: this model was not trained on 'Pikasso'" in error
    assert "line 5: 'Monet' is in line 4 already" in error
    rest = tmp_path / "names.rest.csv"
    assert rest.read_text() == "name,kind,aliases\nPicasso,,\nMonet,,\n"
    assert str(rest) in told["fix"]
    assert not (tmp_path / ".unlearnlog").exists()


def entry_of(concepts, *readings, open_=()):
    """Return an accepted erasure of some concepts with readings of a sample."""
    return Entry(
        parent=None,
        kind="erase",
        concepts=tuple(concepts),
        eraser=EraserRecord(name="uce", settings={}),
        seed=0,
        policy="many",
        rules={"limits": [{"reading": "ua", "at_least": 0.9}]},
        changes=(),
        delta=None,
        state=StateRecord(before=Digest("0" * 64), after=Digest("1" * 64)),
        readings=readings,
        verdict=VerdictRecord.of((), open_, accepts_doubt=bool(open_)),
        seconds=0.0,
        made_with={},
        note=None,
    )


def test_a_sample_measures_every_concept_that_it_stands_for(styles):
    ua = reading(About("ua", "92 of 100 styles", "higher"), share(92, 92))
    boat = Concept("boat", "subject")

    alone, both = (
        own_doubts(entry_of([*styles[:100], *more], ua)) for more in ((), (boat,))
    )

    assert alone == {}
    assert both == {"boat": ("its erasure was not measured",)}


def test_a_sample_of_few_is_only_a_name(styles):
    ua = reading(About("ua", "3 of 3 styles", "higher"), share(92, 92))

    assert len(own_doubts(entry_of(styles[:3], ua))) == 3


def test_many_names_are_cut_in_lists_and_few_are_not():
    names = [f"n{i}" for i in range(1000)]

    assert few_of(names) == "n0, n1, n2 and 997 more"
    assert few_of(names[:MANY]).count(", ") == MANY - 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add",), "no concept is named"),
        (("add", "Picasso", "--from", "n.csv"), "'Picasso' beside --from 'n.csv'"),
        (("add", "--alias", "P", "--from", "n.csv"), "--alias beside --from 'n.csv'"),
        (("add", "--from", "n.csv"), "the names in 'n.csv' cannot be read"),
    ],
)
def test_a_file_stands_alone(typed, words, said):
    done = typed(*words)

    assert done.code == 2
    assert said in done.err


@pytest.mark.slow
def test_many_names_are_one_entry_with_one_reading_of_a_sample(typed, tmp_path):
    build_pipeline(tmp_path / "model")
    concepts = str(Path(__file__).parents[1] / "golden" / "concepts.toml")
    rows = [f"Ada Kord{i},style" for i in range(MANY + 6)]
    (tmp_path / "names.csv").write_text("\n".join(["name,kind", *rows]) + "\n")
    for presence in (0.0, 1.0):
        (tmp_path / f"{presence}.toml").write_text(POLICY.format(presence=presence))
    typed("init", "--model", str(tmp_path / "model"))

    def add(*words):
        return typed("add", *words, "--concepts", concepts, "--json")

    refused = add("--from", "names.csv", "--policy", "1.0.toml")
    done = add("--from", "names.csv", "--policy", "0.0.toml", "--accept-undecided")
    later = add("Monet", "--policy", "0.0.toml", "--accept-undecided")

    assert refused.code == 2
    assert "of 'names.csv' that is line" in json.loads(refused.out)["error"]["message"]
    assert len((tmp_path / "names.rest.csv").read_text().splitlines()) < len(rows)
    entry = json.loads(done.out)
    assert len(entry["concepts"]) == MANY + 6
    (ua,) = [r for r in entry["readings"] if r["probe"] == "ua"]
    assert (ua["concept"], ua["n"]) == ("30 of 30 styles", 120)
    present = {
        r["concept"]
        for r in json.loads(later.out)["readings"]
        if r["probe"] == "presence" and "Kord" in r["concept"]
    }
    assert len(present) == MANY
