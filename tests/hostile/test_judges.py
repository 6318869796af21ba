"""The folder of a judge is a stranger's, too."""

import json
import os
import shutil
from typing import Any

import pytest
import torch
from transformers import (
    CLIPConfig,
    CLIPImageProcessor,
    CLIPModel,
    CLIPTextConfig,
    CLIPVisionConfig,
)

from tests.hostile.damage import content, header_of, put, set_json
from tests.hostile.guards import guarded
from tests.tiny import tokenizer_of_bytes
from unlearnlog.atelier.bundled_concepts import CONCEPTS
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.errors import ModelError
from unlearnlog.judges.clip_judge import ClipJudge

WORLD = ConceptSet.read(CONCEPTS)
KERNEL = "kernels-community/flash-attn3"


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    """A CLIP model of random weights."""
    folder = tmp_path_factory.mktemp("clip") / "clip"
    tokenizer = tokenizer_of_bytes()
    size: Any = {"hidden_size": 32, "intermediate_size": 32, "num_hidden_layers": 1}
    size |= {"num_attention_heads": 2}
    marks: Any = {"vocab_size": len(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    text = CLIPTextConfig(**size, **marks)
    vision = CLIPVisionConfig(**size, image_size=32, patch_size=8)
    config = CLIPConfig(
        text_config=text.to_dict(), vision_config=vision.to_dict(), projection_dim=16
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        CLIPModel(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    sides = {"height": 32, "width": 32}
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size=sides).save_pretrained(
        folder
    )
    return folder


@pytest.fixture
def folder(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "clip")


def inside(part, **changes):
    """Say something else of one of the two networks."""

    def damage(folder, _):
        said = json.loads((folder / "config.json").read_text())
        set_json(folder / "config.json", **{part: said[part] | changes})

    return damage


def without_a_weight(folder, _):
    said, body = header_of(folder / "model.safetensors")
    said["evil"] = said.pop(min(name for name in said if name != "__metadata__"))
    put(folder / "model.safetensors", said, body)


def piped(folder, _):
    (folder / "preprocessor_config.json").unlink()
    os.mkfifo(folder / "preprocessor_config.json")


REFUSED = {
    "a kernel of the hub": (
        lambda folder, _: set_json(folder / "config.json", attn_implementation=KERNEL),
        "attn_implementation",
    ),
    "a kernel inside": (inside("text_config", _attn_implementation=KERNEL), "kernels"),
    "quantised": (
        lambda folder, _: set_json(
            folder / "config.json", quantization_config={"quant_method": "gptq"}
        ),
        "quantised",
    ),
    "layers for hours": (inside("text_config", num_hidden_layers=10**9), "most is 256"),
    "a picture as large as memory": (
        inside("vision_config", image_size=10**6),
        "most is 4096",
    ),
    "an adapter": (content("adapter_config.json", b"{}"), "is an adapter"),
    "code": (content("evil.py", b"import os"), "is code"),
    "code for pictures": (
        lambda folder, _: set_json(
            folder / "preprocessor_config.json", auto_map={"A": "evil.B"}
        ),
        "auto_map",
    ),
    "a picture without end": (
        lambda folder, _: set_json(
            folder / "preprocessor_config.json", size={"shortest_edge": 10**9}
        ),
        "no size of a picture",
    ),
    "a pipe": (piped, "no regular file"),
    "a weight of another name": (without_a_weight, "lacks 1 of its weights"),
    "damaged weights": (content("model.safetensors", b"nothing"), "not safetensors"),
}


@pytest.mark.parametrize(("damage", "said"), REFUSED.values(), ids=REFUSED.keys())
def test_a_judge_that_asks_for_more_than_weights_is_refused(folder, damage, said):
    damage(folder, folder)

    with (
        guarded(folder / "secret.json") as guard,
        pytest.raises(ModelError, match=said) as caught,
    ):
        ClipJudge.load(folder, WORLD)

    assert guard.seen == []
    assert str(folder) in caught.value.message


def test_a_judge_is_read_as_its_library_reads_it(folder, sound):
    set_json(
        folder / "config.json", _name_or_path="https://evil.example", use_kernels=1
    )

    with guarded(folder / "secret.json") as guard:
        judge = ClipJudge.load(folder, WORLD)

    reference: Any = CLIPModel.from_pretrained(sound)
    theirs, ours = reference.state_dict(), judge.net.state_dict()
    assert guard.seen == []
    assert theirs.keys() == ours.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert judge.net.config.to_dict()["text_config"]["hidden_act"] == "quick_gelu"
    assert judge.net.dtype == reference.dtype
