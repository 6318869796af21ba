"""Judges that come without a network of their own, or with somebody else's."""

import pytest
import torch

from tests.clip_folder import build_clip
from tests.probes.mixture import mixture
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.errors import ModelError
from unlearnlog.judges.base_judge import BaseJudge
from unlearnlog.judges.clip_judge import ClipJudge
from unlearnlog.models.interface import Painted, Sampling

STYLES = ConceptSet.of(
    {
        "concepts": {
            "left": {"kind": "style"},
            "middle": {"kind": "style"},
            "right": {"kind": "style"},
        }
    },
    "three styles",
)


def test_the_base_finds_the_style_whose_prompt_explains_a_picture_best():
    model = mixture({"left": -2.0, "middle": 0.0, "right": 2.0}, sd=0.2)
    prompts = [f"a cat by {name}" for name in ("left", "middle", "right") * 8]
    painted = model.paint(prompts, range(24), sampling=Sampling(1, 1.0))

    answers = BaseJudge(model, STYLES).judged(painted)

    assert [a.style for a in answers] == [p.split()[-1] for p in prompts]


def test_an_empty_list_of_pictures_has_no_answers():
    model = mixture({"left": -2.0})
    nothing = Painted(torch.empty(0, 1, 1, 1), torch.empty(0, 2, 2, 3))

    assert BaseJudge(model, STYLES).judged(nothing) == []


def test_an_answer_does_not_depend_on_the_pictures_beside_it():
    model = mixture({"left": -2.0, "middle": 0.0, "right": 2.0}, sd=0.2)
    painted = model.paint(["by left", "by right"], [0, 1], sampling=Sampling(1, 1.0))
    alone = Painted(painted.latents[1:], painted.pictures[1:])

    assert (
        BaseJudge(model, STYLES).judged(alone)
        == (BaseJudge(model, STYLES).judged(painted)[1:])
    )


def test_the_base_agrees_with_the_bundled_judge_on_what_the_bundled_model_paints():
    from unlearnlog.atelier.bundled_model import FOLDER, bundled_judge
    from unlearnlog.models.diffusers_model import DiffusersModel

    model = DiffusersModel.load(FOLDER)
    cells = book().kept((), 1)[::56]
    painted = model.paint(
        [c.prompt for c in cells], [c.seed for c in cells], sampling=Sampling(10, 3.0)
    )
    noise = Painted(torch.randn(1, *model.latent_shape), painted.pictures[:1])

    mine = BaseJudge(model, world()).judged(painted)

    theirs = bundled_judge().judged(painted)
    pairs = list(zip(mine, theirs, strict=True))
    assert sum(a.style == b.style for a, b in pairs) >= 0.9 * len(pairs)
    assert sum(a.subject == b.subject for a, b in pairs) >= 0.9 * len(pairs)
    assert len(BaseJudge(model, world()).judged(noise)) == 1


@pytest.fixture(scope="module")
def clip_folder(tmp_path_factory):
    """A CLIP model of random weights, as ``save_pretrained`` writes one."""
    return build_clip(tmp_path_factory.mktemp("clip"))


def test_clip_answers_with_the_sentence_nearest_to_the_picture(clip_folder):
    judge = ClipJudge.load(clip_folder, STYLES)
    pictures = torch.randint(0, 256, (3, 64, 64, 3), dtype=torch.uint8)
    painted = Painted(torch.zeros(3, 1, 1, 1), pictures)

    answers = judge.judged(painted)

    features = judge.features(painted)
    assert features.shape == (3, 16)
    assert torch.allclose(features.norm(dim=1), torch.ones(3))
    known = {"left", "middle", "right", "photo", "(none)"}
    assert len(answers) == 3
    assert {a.style for a in answers} <= known
    assert judge.judged(Painted(torch.zeros(1, 1, 1, 1), pictures[2:])) == answers[2:]


def test_clip_finds_the_picture_whose_embedding_is_a_sentence_s(clip_folder):
    """With the text's own embedding as the picture's, the answer is that text's."""
    judge = ClipJudge.load(clip_folder, STYLES)
    text = judge._embedded(["a painting by middle"])

    names = {"a painting by left": "left", "a painting by middle": "middle"}
    assert judge._best(text, names) == ["middle"]


@pytest.mark.parametrize("content", [None, "model.safetensors", "pytorch_model.bin"])
def test_a_folder_that_is_no_clip_model_is_refused(tmp_path, content):
    if content:
        (tmp_path / content).write_bytes(b"nothing")

    with pytest.raises(ModelError) as caught:
        ClipJudge.load(tmp_path, STYLES)

    assert str(tmp_path) in caught.value.message
    assert "save_pretrained" in caught.value.fix
