"""Who pays for an erasure, on answers made by hand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.probes.evidences import by_name, evidence, looked, seen
from unlearnlog.probes.damage import DamageByRelation, damage
from unlearnlog.probes.evidence import Evidence

SUBJECTS = [f"subject {i}" for i in range(10)]
RELATIONS = {"Braque": "look-alike", "Monet": "unrelated", "Munch": "unrelated"}


def of(style, n_lost):
    """Kept cells of a style, the first ``n_lost`` of which are a photo now."""
    return [
        seen(subject, style, now=(subject, "photo" if i < n_lost else style))
        for i, subject in enumerate(SUBJECTS)
    ]


def around(**lost):
    kept = tuple(cell for style, n in lost.items() for cell in of(style, n))
    look = looked(
        erased=[seen(s, "Picasso", now=(s, "photo")) for s in SUBJECTS[:8]]
        + [seen(s, "Picasso", now=("", "photo")) for s in SUBJECTS[8:]],
        family=[seen(s, "Picasso", now=(s, "Braque")) for s in SUBJECTS],
    )
    return look, kept


def found(hops=None, **lost):
    look, kept = around(**lost)
    look = replace(look, relations=RELATIONS, hops=hops or {})
    return by_name(DamageByRelation().readings(Evidence((look,), kept)))


def test_damage_is_told_by_how_the_hurt_is_related():
    read = found(Braque=6, Monet=0, Munch=1)

    assert read["damage.look-alike", "Picasso"].value == 0.6
    assert read["damage.unrelated", "Picasso"].value == 0.05
    assert read["damage.unrelated", "Picasso"].n == 20
    assert read["damage.look-alike", "Picasso"].low > 0


def test_what_stands_beside_the_concept_is_its_composition():
    assert found()["damage.composition", "Picasso"].value == 0.2
    assert found()["damage.parent", "Picasso"].value == 0.0


def test_what_the_base_never_painted_is_no_damage():
    cells = [seen("cat", "Monet", base=("cat", "photo"), now=("cat", "photo"))]

    assert damage(cells * 5, "style").value == 0


def test_what_is_painted_better_now_is_damage_below_zero():
    cells = [seen("cat", "Monet", base=("cat", "photo"))]

    assert damage(cells * 5, "style").value == -1


def test_nearer_concepts_that_pay_more_make_the_correlation_negative():
    names = [f"style {i}" for i in range(6)]
    hops = {name: i for i, name in enumerate(names)}
    lost = {name: 6 - i for i, name in enumerate(names)}

    read = found(hops, **lost)["damage.by-distance", "Picasso"]

    assert read.value == pytest.approx(-1)
    assert read.n == 6
    assert read.unit == "correlation"


def test_where_nobody_is_hurt_there_is_no_correlation():
    names = [f"style {i}" for i in range(6)]
    hops = {name: i for i, name in enumerate(names)}

    read = found(hops, **dict.fromkeys(names, 0))

    assert ("damage.by-distance", "Picasso") not in read


def test_a_world_without_relations_has_nothing_to_tell_apart():
    assert DamageByRelation().readings(evidence(kept=of("Monet", 3))) == ()
