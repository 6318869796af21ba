import pytest

from unlearnlog.core.probe_case import REJECT, Answer, ProbeCase


@pytest.mark.parametrize(("kind", "shown"), [("style", "Picasso"), ("subject", "cat")])
def test_a_cell_and_an_answer_tell_their_style_from_their_subject(kind, shown):
    cell = ProbeCase("a cat by Picasso", 3, "cat", "Picasso")
    answer = Answer("cat", "Picasso")

    assert cell.shows(kind) == answer.of(kind) == shown


def test_the_empty_scene_is_not_the_answer_of_a_judge_that_recognises_nothing():
    assert ProbeCase("an empty photo", 0, "", "photo").shows("subject") != REJECT
