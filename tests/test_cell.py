import pytest

from unlearnlog.cell import REJECT, Answer, Cell


@pytest.mark.parametrize(("kind", "shown"), [("style", "Picasso"), ("subject", "cat")])
def test_a_cell_and_an_answer_tell_their_style_from_their_subject(kind, shown):
    cell = Cell("a cat by Picasso", 3, "cat", "Picasso")
    answer = Answer("cat", "Picasso")

    assert cell.shows(kind) == answer.of(kind) == shown


def test_the_empty_scene_is_not_the_answer_of_a_judge_that_recognises_nothing():
    assert Cell("an empty photo", 0, "", "photo").shows("subject") != REJECT
