import pytest

from tests.probes.evidences import CAT, PICASSO, by_name, evidence, seen
from unlearnlog.core.probe_case import REJECT, Answer
from unlearnlog.probes.redirection import Redirection, TargetFloor

PHOTOS = [Answer("cat", "photo")] * 99 + [Answer("cat", "Rembrandt")]


def test_erased_pictures_are_sorted_by_where_they_land():
    erased = [
        seen("cat", "Picasso", now=("cat", "photo")),
        seen("dog", "Picasso", now=("cat", "photo")),
        seen("boat", "Picasso", now=("boat", "Picasso")),
        seen("car", "Picasso", base=("car", REJECT), now=(REJECT, "Braque")),
    ]

    found = by_name(Redirection().readings(evidence(erased=erased, target=PHOTOS)))

    values = {probe: (each.value, each.base) for (probe, _), each in found.items()}
    assert values == {
        "lands.subject": (0.5, 1.0),
        "lands.anchor": (0.5, None),
        "lands.reject": (0.25, 0.25),
    }
    assert [each.better for each in found.values()] == ["higher", "higher", "lower"]
    assert {(each.n, each.unit) for each in found.values()} == {(4, "share")}


def test_when_a_subject_was_erased_its_style_should_be_kept():
    erased = [
        seen("cat", "Monet", now=("", "Monet")),
        seen("cat", "Klimt", now=("", "photo")),
    ]
    scenes = [Answer("", "Monet")]

    found = by_name(Redirection().readings(evidence(CAT, erased=erased, target=scenes)))

    assert found["lands.style", "cat"].value == 0.5
    assert found["lands.anchor", "cat"].value == 1.0


def test_a_slip_of_the_judge_on_the_target_is_no_place_to_land():
    erased = [seen("cat", "Picasso", now=("cat", "Rembrandt"))]

    found = by_name(Redirection().readings(evidence(erased=erased, target=PHOTOS)))

    assert found["lands.anchor", "Picasso"].value == 0.0


def test_noise_is_no_place_to_land_even_where_the_target_is_noise():
    """An eraser that paints noise once scored on lands.anchor."""
    erased = [seen("cat", "Picasso", now=("cat", REJECT))]
    target = [Answer("cat", REJECT)] * 10

    found = by_name(Redirection().readings(evidence(erased=erased, target=target)))

    assert found["lands.anchor", "Picasso"].value == 0.0


def test_a_marginal_is_landed_on_by_any_of_its_styles_but_the_erased_one():
    styles = ("Picasso", "Braque", "Monet", "Klimt")
    target = [Answer("cat", style) for style in styles for _ in range(6)]
    erased = [seen("cat", "Picasso", now=("cat", style)) for style in styles]

    found = by_name(Redirection().readings(evidence(erased=erased, target=target)))

    assert found["lands.anchor", "Picasso"].value == 0.75


@pytest.mark.parametrize(
    ("concept", "floor"), [(PICASSO, 0.25), (CAT, 1.0)], ids=lambda c: str(c)[:6]
)
def test_the_floor_is_how_often_the_target_shows_the_concept_anyway(concept, floor):
    target = [Answer("cat", s) for s in ("Picasso", "Braque", "Monet", "photo")]

    (reading,) = TargetFloor().readings(evidence(concept, target=target))

    assert (reading.probe, reading.value, reading.n) == ("floor", floor, 4)
    assert reading.better == "none"


def test_without_pictures_nothing_lands_and_there_is_no_floor():
    assert Redirection().readings(evidence(target=PHOTOS)) == ()
    assert TargetFloor().readings(evidence()) == ()
