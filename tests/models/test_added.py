"""Tokens that a fine-tune added: their rows are told from the base's, and named."""

import json
import shutil

import pytest
import torch
from diffusers import StableDiffusionPipeline, StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.textual_inversion import MARK

PIPELINES = {"1.5": StableDiffusionPipeline, "xl": StableDiffusionXLPipeline}
WEIGHTS = "model.safetensors"


def learnt(base, folder, tokens):
    """Save a pipeline that learnt tokens, each of so many vectors; return it."""
    index = json.loads((base / "model_index.json").read_text())
    kind = next(k for k in PIPELINES.values() if k.__name__ == index["_class_name"])
    pipeline = kind.from_pretrained(base, dtype=torch.float32)
    source = torch.Generator().manual_seed(0)
    for end in ("", "_2"):
        if (encoder := getattr(pipeline, f"text_encoder{end}", None)) is None:
            continue
        for token, n in tokens.items():
            pipeline.load_textual_inversion(
                torch.randn(n, encoder.config.hidden_size, generator=source),
                token=token,
                tokenizer=getattr(pipeline, f"tokenizer{end}"),
                text_encoder=encoder,
            )
    pipeline.save_pretrained(folder)
    return kind.from_pretrained(folder, dtype=torch.float32)


def of_old(folder):
    """Let the second text encoder take a prompt's largest number for its end.

    So it is in the files of SDXL: their ``eos_token_id`` is 2.
    """
    file = folder / "text_encoder_2" / "config.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {"eos_token_id": 2}))
    return folder


@pytest.fixture(scope="module", params=["1.5", "xl", "xl of old"])
def tuned(request, tmp_path_factory):
    """A state, and a fine-tune of it that learnt a token of one vector and of two."""
    folder, family = tmp_path_factory.mktemp("added"), request.param.split()[0]
    base = build_pipeline(folder / "base", family=family)
    if request.param.endswith("old"):
        of_old(base)
    pipeline = learnt(base, folder / "tuned", {"<new>": 1, "<two>": 2})
    return FinetuneBase(DiffusersModel.load(base), {}), pipeline, folder / "tuned"


def test_the_rows_that_were_there_are_compared_and_the_new_ones_are_named(tuned):
    """The table was of another shape, so the whole folder was not "given whole"."""
    state, _, folder = tuned

    found = derived(folder, state)

    assert found.moved == {}
    assert list(found.tokens) == ["<new>", "<two>"]
    assert [len(v[0]) for v in found.tokens.values()] == [1, 2]
    assert found.notes == (
        "tokens were added that the base does not have: '<new>', '<two>' (2 vectors)",
    )


@pytest.mark.parametrize("token", ["<new>", "<two>"])
def test_a_new_token_is_read_as_the_fine_tunes_pipeline_reads_it(tuned, token):
    state, pipeline, folder = tuned
    found = derived(folder, state)

    ours = state.model.encode_with(
        [f"a painting of a cat by {MARK} , again"],
        found.tokens[token],
        weights=found.weights,
        added=True,
    )

    prompt = f"a painting of a cat by {token} , again"
    with torch.no_grad():
        theirs = (
            pipeline.encode_prompt(prompt, do_classifier_free_guidance=False)
            if ours.pooled is not None
            else pipeline.encode_prompt(prompt, "cpu", 1, False)
        )
    assert float((ours.tokens - theirs[0]).abs().max()) < 1e-6
    if ours.pooled is not None:
        assert float((ours.pooled - theirs[2]).abs().max()) < 1e-6


@pytest.fixture
def one(tmp_path):
    """A base, a fine-tune of it with one new token, and a place for a third."""
    base = build_pipeline(tmp_path / "base")
    learnt(base, tmp_path / "tuned", {"<new>": 1})
    return FinetuneBase(DiffusersModel.load(base), {}), tmp_path / "tuned"


def table_of(folder):
    tensors = load_file(folder / "text_encoder" / WEIGHTS)
    name = next(n for n in tensors if n.endswith("token_embedding.weight"))
    return tensors, name


def test_a_row_that_was_there_and_moved_is_a_change(one):
    state, folder = one
    tensors, name = table_of(folder)
    tensors[name][5] += 0.1
    save_file(tensors, folder / "text_encoder" / WEIGHTS, metadata={"format": "pt"})

    found = derived(folder, state)

    assert found.moved.keys() == {"text_encoder"}
    changed = next(t for n, t in found.weights.items() if "token_embedding" in n)
    assert len(changed) == len(tensors[name]) - 1
    assert state.model.encode(["a cat"], weights=found.weights).tokens.isfinite().all()


def test_a_component_finds_its_tokenizer_beside_it(one):
    state, folder = one

    assert list(derived(folder / "text_encoder", state).tokens) == ["<new>"]


@pytest.mark.parametrize("how", ["folder", "file"])
def test_tokens_that_nobody_names_are_refused(one, tmp_path, how):
    state, folder = one
    alone = tmp_path / "alone" / "text_encoder"
    shutil.copytree(folder / "text_encoder", alone)

    with pytest.raises(
        ModelError, match="1 tokens that are not in the base's text encoder"
    ):
        derived(alone if how == "folder" else alone / WEIGHTS, state)


def test_a_token_that_was_given_another_number_is_refused(one):
    """Then the words of prompts are other words, which no name of ours asks for."""
    state, folder = one
    file = folder / "tokenizer" / "tokenizer.json"
    content = json.loads(file.read_text())
    words = content["model"]["vocab"]
    words["cat</w>"], words["dog</w>"] = words["dog</w>"], words["cat</w>"]
    file.write_text(json.dumps(content))

    with pytest.raises(ModelError, match=r"reads '(cat|dog)</w>' as token"):
        derived(folder, state)


def test_a_token_within_the_table_is_named_as_well(one):
    """A table may be longer than its tokens are many, by rows that nobody names."""
    _, folder = one
    shutil.copytree(folder, folder.parent / "again")
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    tokenizer.add_tokens(["<next>"])
    tokenizer.save_pretrained(folder.parent / "again" / "tokenizer")
    wider = FinetuneBase(DiffusersModel.load(folder), {})
    tensors, name = table_of(folder)

    with pytest.raises(
        ModelError, match="has the token '<next>', and its text encoder no"
    ):
        derived(folder.parent / "again", wider)
    tensors[name] = torch.cat([tensors[name], tensors[name][:3]])
    file = folder.parent / "again" / "text_encoder" / WEIGHTS
    save_file(tensors, file, metadata={"format": "pt"})
    found = derived(folder.parent / "again", wider)

    assert list(found.tokens) == ["<next>"]
    assert torch.equal(found.tokens["<next>"][0], tensors[name][-3][None])


def test_an_unchanged_copy_has_no_new_tokens(one, tmp_path):
    state, _ = one

    assert derived(tmp_path / "base", state).tokens == {}


@pytest.mark.parametrize("in_folder", [False, True])
def test_a_file_of_textual_inversion_is_a_token_that_was_added(
    one, tmp_path, in_folder
):
    """So such tokens are given away: a few vectors, and no model."""
    state, _ = one
    vectors = torch.randn(2, 32, generator=torch.Generator().manual_seed(0))
    file = tmp_path / "out" / "learned_embeds.safetensors"
    file.parent.mkdir()
    save_file({"<pic>": vectors.half()}, file)

    found = derived(file.parent if in_folder else file, state)

    assert (found.form, found.moved, found.n_tensors) == ("embedding", {}, 1)
    assert torch.equal(found.tokens["<pic>"][0], vectors.half().float())
    assert found.notes[0].endswith("'<pic>' (2 vectors)")


def test_of_two_encoders_each_has_its_own_vectors(xl, tmp_path):
    state = FinetuneBase(xl, {})
    file = tmp_path / "pic.safetensors"
    save_file({"clip_g": torch.ones(3, 48), "clip_l": torch.zeros(3, 32)}, file)

    found = derived(file, state)

    assert [v.shape for v in found.tokens["<pic>"]] == [(3, 32), (3, 48)]


def test_a_file_of_learnt_tokens_beside_a_pipeline_is_pointed_out(one):
    """The pipeline may know its tokens or not: who loads that file adds them."""
    state, folder = one
    save_file({"<pic>": torch.ones(1, 32)}, folder / "learned_embeds.safetensors")

    found = derived(folder, state)

    assert list(found.tokens) == ["<new>"]
    assert found.notes[0].startswith("'learned_embeds.safetensors' beside it was not")


@pytest.mark.parametrize("tensor", [torch.ones(2, 31), torch.ones(2, 2, 32)])
def test_vectors_of_another_model_are_none_of_this_one(one, tmp_path, tensor):
    state, _ = one
    save_file({"<pic>": tensor}, tmp_path / "other.safetensors")

    with pytest.raises(ModelError, match="none of the base's: '<pic>'"):
        derived(tmp_path / "other.safetensors", state)
