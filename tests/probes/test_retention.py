import pytest

from tests.probes.evidences import CAT, PICASSO, evidence, seen
from unlearnlog.probes.retention import CrossDomainRetention, InDomainRetention

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
