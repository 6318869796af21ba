"""The graph holds every concept the model was shown, and what each entry left of it."""

from tests.histories import WORLD, shown, step, three_steps
from unlearnlog.findings import concept_damage as module
from unlearnlog.findings.concept_damage import graph, harm


def test_every_concept_that_the_model_was_shown_is_in_the_graph():
    found = graph(three_steps(), WORLD)

    assert {node.name: node.family for node in found.nodes} == {
        "Picasso": "cubism",
        "Braque": "cubism",
        "Monet": "impressionism",
        "Renoir": "impressionism",
        "cat": "animal",
        "dog": "animal",
        "castle": "",
    }


def test_ties_are_told_once():
    found = graph(three_steps(), WORLD)

    alike = [(e.one, e.other) for e in found.edges if e.type == "look-alike"]
    assert alike == [("Braque", "Picasso"), ("cat", "dog")]


def test_damage_is_what_the_base_showed_less_what_is_shown():
    third = three_steps()[2]

    dog = harm(third, "dog")

    assert (dog.status, dog.damage, dog.sure) == ("kept", 0.75, True)


def test_a_loss_that_may_be_chance_is_not_sure():
    one = step(1, ["cat"], ["cat"], [shown("dog", 14, 16), shown("Braque", 16, 16)])

    dog, braque = harm(one, "dog"), harm(one, "Braque")

    assert (dog.damage, dog.sure) == (2 / 16, False)
    assert (braque.damage, braque.sure) == (0.0, False)


def test_what_is_erased_has_no_damage_and_what_nobody_read_is_unread():
    third = three_steps()[2]

    assert (harm(third, "cat").status, harm(third, "cat").damage) == ("erased", None)
    assert harm(third, "castle").status == "unread"


def test_of_a_large_world_the_erased_the_near_and_the_worst_stay(monkeypatch):
    monkeypatch.setattr(module, "MOST_NODES", 6)

    found = graph(three_steps(), WORLD)

    assert found.left_out == 1
    assert {n.name for n in found.nodes} >= {"Picasso", "Braque", "cat", "dog", "Monet"}
