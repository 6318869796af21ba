import json

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from unlearnlog.atelier.atelier_judge import AtelierJudge, JudgeNet, as_tensor
from unlearnlog.core.probe_case import REJECT

STYLES = ("photo", "Picasso", REJECT)
SUBJECTS = ("cat", "", REJECT, "dog")


@pytest.fixture
def net():
    with torch.random.fork_rng():
        torch.manual_seed(2)
        return JudgeNet(len(STYLES), len(SUBJECTS), width=8).eval()


@pytest.fixture
def folder(net, tmp_path):
    weights = {name: w.half() for name, w in net.state_dict().items()}
    save_file(weights, tmp_path / "judge.safetensors")
    names = {"styles": STYLES, "subjects": SUBJECTS, "width": 8}
    (tmp_path / "judge.json").write_text(json.dumps(names), encoding="utf-8")
    return tmp_path


def pictures(n):
    rng = np.random.default_rng(4)
    flat = rng.integers(0, 256, (n, 1, 1, 3))
    grain = rng.integers(0, 256, (n, 16, 16, 3))
    return np.where(np.arange(n)[:, None, None, None] % 2, flat, grain).astype(np.uint8)


def test_a_judge_answers_with_the_name_of_the_largest_logit_of_each_head(folder):
    judge = AtelierJudge.load(folder)
    pixels = pictures(6)

    answers = judge.of_pictures(torch.from_numpy(pixels))

    style, subject = judge.net(as_tensor(pixels))
    assert [a.style for a in answers] == [STYLES[i] for i in style.argmax(1)]
    assert [a.subject for a in answers] == [SUBJECTS[i] for i in subject.argmax(1)]


def test_many_pictures_are_judged_in_their_order(folder):
    judge = AtelierJudge.load(folder)
    few = pictures(2)
    many = torch.from_numpy(np.tile(few, (150, 1, 1, 1)))

    answers = judge.of_pictures(many)

    assert answers == judge.of_pictures(torch.from_numpy(few)) * 150


def test_no_pictures_have_no_answers(folder):
    nothing = torch.zeros(0, 16, 16, 3, dtype=torch.uint8)

    assert AtelierJudge.load(folder).of_pictures(nothing) == []


def test_a_loaded_judge_learns_nothing(folder):
    judge = AtelierJudge.load(folder)

    assert not judge.net.training
    assert not any(p.requires_grad for p in judge.net.parameters())
    assert {p.dtype for p in judge.net.parameters()} == {torch.float32}


def test_the_features_of_every_stage_halve_the_picture(net):
    maps = net.features(torch.zeros(1, 3, 64, 64))

    sizes = [tuple(each.shape[1:]) for each in maps]

    assert sizes == [(8, 32, 32), (16, 16, 16), (24, 8, 8), (32, 4, 4)]
    assert net.pooled(torch.zeros(1, 3, 64, 64)).shape == (1, 64)


def test_pixels_become_channels_between_zero_and_one():
    pixels = np.zeros((1, 2, 3, 3), dtype=np.uint8)
    pixels[0, 1, 2] = (255, 0, 51)

    tensor = as_tensor(pixels)

    assert tensor.shape == (1, 3, 2, 3)
    assert tensor[0, :, 1, 2].tolist() == pytest.approx([1.0, 0.0, 0.2])
    assert float(tensor.sum()) == pytest.approx(1.2)
