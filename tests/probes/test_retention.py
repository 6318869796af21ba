import pytest

from tests.probes.evidences import CAT, PICASSO, evidence, looked, seen
from unlearnlog.core.concept import Concept
from unlearnlog.probes.evidence import Evidence
from unlearnlog.probes.retention import (
    CrossDomainRetention,
    InDomainRetention,
    NeighbourRetention,
    OtherRetention,
)

KEPT = [
    seen("cat", "Monet"),
    seen("dog", "Monet", now=("dog", "Renoir")),
    seen("cat", "Klimt", now=("(none)", "Klimt")),
    seen("dog", "Klimt", base=("cat", "Klimt"), now=("cat", "photo")),
]


@pytest.mark.parametrize(
    ("concept", "ira", "cra"), [(PICASSO, 0.5, 0.5), (CAT, 0.5, 0.5)]
)
def test_each_retention_is_the_share_of_kept_pictures_that_are_right(concept, ira, cra):
    given = evidence(concept, kept=KEPT)

    (inside,) = InDomainRetention().readings(given)
    (across,) = CrossDomainRetention().readings(given)

    assert (inside.probe, inside.value, inside.n) == ("ira", ira, 4)
    assert (across.probe, across.value, across.n) == ("cra", cra, 4)


def test_the_two_retentions_look_at_style_and_at_subject():
    kept = [seen("dog", "Monet", now=("dog", "Renoir")), seen("cat", "Klimt")]

    (ira,) = InDomainRetention().readings(evidence(kept=kept))
    (cra,) = CrossDomainRetention().readings(evidence(kept=kept))

    assert (ira.value, cra.value) == (0.5, 1.0)


def test_the_two_retentions_change_places_when_a_subject_was_erased():
    kept = [seen("dog", "Monet", now=("dog", "Renoir")), seen("bird", "Klimt")]

    (ira,) = InDomainRetention().readings(evidence(CAT, kept=kept))
    (cra,) = CrossDomainRetention().readings(evidence(CAT, kept=kept))

    assert (ira.value, cra.value) == (1.0, 0.5)


def test_the_base_is_measured_on_the_same_pictures():
    (cra,) = CrossDomainRetention().readings(evidence(kept=KEPT))

    assert cra.base == 0.75


def test_retention_without_a_single_loss_is_not_certain():
    kept = [seen(f"s{i}", f"a{j}") for i in range(8) for j in range(8)]

    (ira,) = InDomainRetention().readings(evidence(kept=kept))

    assert ira.value == ira.high == 1.0
    assert ira.low < 0.95


def test_with_nothing_kept_there_is_no_retention():
    assert InDomainRetention().readings(evidence()) == ()
    assert CrossDomainRetention().readings(evidence()) == ()


def test_neighbours_are_told_apart_from_all_others():
    kept = [
        seen("cat", "Braque", now=("cat", "photo")),
        seen("dog", "Braque"),
        seen("cat", "Monet"),
        seen("dog", "Klimt"),
        seen("cat", "photo", now=("", "photo")),
    ]

    given = evidence(kept=kept, near={"Braque"})
    (nra,) = NeighbourRetention().readings(given)
    (ora,) = OtherRetention().readings(given)

    assert (nra.concept, nra.value, nra.n) == ("Picasso", 0.5, 2)
    assert (ora.concept, ora.value, ora.n) == ("Picasso", 1.0, 3)
    assert NeighbourRetention().readings(evidence(kept=kept)) == ()
    assert OtherRetention().readings(evidence(kept=kept)) == ()


def test_a_batch_of_one_kind_is_read_once_and_of_two_kinds_twice():
    kept = (seen("dog", "Monet"), seen("tree", "Monet", now=("tree", "photo")))
    styles = Evidence((looked(), looked(Concept("Klimt", "style"))), kept)
    mixed = Evidence((looked(), looked(CAT)), kept)

    (ira,) = InDomainRetention().readings(styles)
    assert (ira.concept, ira.value) == ("Picasso, Klimt", 0.5)
    values = [(r.concept, r.value) for r in InDomainRetention().readings(mixed)]
    assert values == [("Picasso", 0.5), ("cat", 1.0)]
    values = [(r.concept, r.value) for r in CrossDomainRetention().readings(mixed)]
    assert values == [("Picasso", 1.0), ("cat", 0.5)]
