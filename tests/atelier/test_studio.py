import json

import pytest

from unlearnlog.atelier.bundled_model import BaseAnswers
from unlearnlog.core.probe_case import REJECT, Answer, ProbeCase

CAT = ProbeCase("a cat as Picasso would paint it", 0, "cat", "Picasso")
AGAIN = ProbeCase("a cat as Picasso would paint it", 3, "cat", "Picasso")
EMPTY = ProbeCase('an "empty" photo', 0, "", "photo")
ROOT = "ab" * 32
SAMPLING = (10, 3.0)


@pytest.fixture
def known():
    answers = {
        (CAT.prompt, 0): Answer("cat", "Picasso"),
        (CAT.prompt, 3): Answer(REJECT, "Braque"),
        (EMPTY.prompt, 0): Answer("", "photo"),
    }
    return BaseAnswers(ROOT, SAMPLING, answers)


def test_what_was_saved_is_what_is_read(known, tmp_path):
    path = tmp_path / "readings.json"

    known.save(path)

    assert BaseAnswers.load(path) == known


def test_the_file_is_the_same_whatever_the_order_of_the_answers(known, tmp_path):
    backwards = dict(reversed(known.answers.items()))
    paths = tmp_path / "one.json", tmp_path / "other.json"

    known.save(paths[0])
    BaseAnswers(ROOT, SAMPLING, backwards).save(paths[1])

    assert paths[0].read_bytes() == paths[1].read_bytes()
    assert json.loads(paths[0].read_text("utf-8"))["root"] == ROOT


def test_each_cell_has_its_answer_and_an_unknown_one_has_none(known):
    stranger = ProbeCase("a dog", 0, "dog", "photo")

    found = known.of([AGAIN, stranger, CAT], ROOT, SAMPLING)

    assert found == [Answer(REJECT, "Braque"), None, Answer("cat", "Picasso")]


@pytest.mark.parametrize(
    ("root", "sampling"),
    [("cd" * 32, SAMPLING), (ROOT, (20, 3.0)), (ROOT, (10, 2.5)), ("", (0, 0.0))],
)
def test_answers_of_another_base_or_another_sampling_count_for_nothing(
    known, root, sampling
):
    assert known.of([CAT, AGAIN], root, sampling) == [None, None]


def test_without_a_file_nothing_is_known(tmp_path):
    nothing = BaseAnswers.load(tmp_path / "readings.json")

    assert nothing.of([CAT], ROOT, SAMPLING) == [None]
