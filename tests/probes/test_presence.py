from tests.probes.evidences import CAT, by_name, evidence, seen
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.statistics import share


def test_every_concept_is_counted_on_its_own_prompts():
    given = evidence(
        erased=[seen("cat", "Picasso"), seen("dog", "Picasso", now=("dog", "photo"))],
        kept=[
            seen("cat", "Monet"),
            seen("dog", "Monet", now=("dog", "Renoir")),
            seen("dog", "photo", base=("cat", "photo")),
        ],
    )

    found = by_name(Presence().readings(given))

    values = {concept: each.value for (_, concept), each in found.items()}
    assert values == {"Picasso": 0.5, "Monet": 0.5, "photo": 1, "cat": 1, "dog": 1}
    assert found["presence", "dog"].base == 0.5
    assert found["presence", "dog"].n == 2
    assert found["presence", "dog"].low == share(2, 2).low


def test_what_is_erased_should_go_and_what_is_kept_should_stay():
    given = evidence(
        CAT,
        erased=[seen("cat", "Monet")],
        kept=[seen("dog", "Monet")],
        earlier={
            "Picasso": (seen("dog", "Picasso", now=("dog", "photo")),),
            "boat": (seen("boat", "Klimt"),),
        },
    )

    found = by_name(Presence().readings(given))

    better = {concept: each.better for (_, concept), each in found.items()}
    assert better["cat"] == better["Picasso"] == better["boat"] == "lower"
    assert better["dog"] == better["Monet"] == "higher"
    assert found["presence", "Picasso"].value == 0.0
    assert found["presence", "boat"].value == 1.0


def test_the_empty_scene_has_a_name():
    given = evidence(kept=[seen("", "photo")])

    found = by_name(Presence().readings(given))

    assert ("presence", "(empty scene)") in found


def test_an_erased_concept_without_a_picture_of_its_own_is_passed_over():
    """`add` ended in a traceback once all three subjects of a small file were erased:
    no picture of an erased style was left that shows no other erased concept."""
    given = evidence(
        CAT,
        erased=[seen("cat", "Monet")],
        earlier={"Picasso": (), "boat": (seen("boat", "Klimt"),)},
    )

    found = by_name(Presence().readings(given))

    assert {concept for _, concept in found} == {"cat", "boat"}
