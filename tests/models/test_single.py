"""Single files of the original format mean what the same folder means."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.single_files import single_of, unet_in
from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)


def nudged(folder):
    source = torch.Generator().manual_seed(1)
    for file in folder.glob("*/*.safetensors"):
        save_file(
            {
                name: t + (0.01 * torch.randn(t.shape, generator=source)).to(t.dtype)
                for name, t in load_file(file).items()
            },
            file,
        )


@pytest.fixture(scope="module", params=["1.5", "2.1", "xl"])
def made(request, tmp_path_factory):
    """A state, what was made of it as a folder and as a single file, and its family."""
    folder = tmp_path_factory.mktemp("single")
    base = build_pipeline(folder / "base", family=request.param)
    state = FinetuneBase(DiffusersModel.load(base), {})
    tuned = build_pipeline(folder / "tuned", family=request.param)
    nudged(tuned)
    file = folder / "tuned.safetensors"
    save_file(single_of(tuned, request.param), file)
    return state, tuned, file


def test_a_single_file_is_read_as_the_folder_is(made):
    state, tuned, file = made

    whole, single = derived(tuned, state), derived(file, state)

    assert single.form == "pipeline"
    assert not single.is_plain
    assert single.weights.keys() == whole.weights.keys()
    assert len(single.weights) == len(state.shapes)
    for name, tensor in whole.weights.items():
        assert torch.equal(single.weights[name], tensor), name
    assert single.moved == pytest.approx(whole.moved)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    base = build_pipeline(folder / "base")
    tuned = build_pipeline(folder / "tuned")
    nudged(tuned)
    return FinetuneBase(DiffusersModel.load(base), {}), base, tuned


def test_what_a_single_file_leaves_out_is_the_bases(small, tmp_path):
    state, _, tuned = small
    file = tmp_path / "unet.safetensors"
    save_file(unet_in(tuned), file)

    found = derived(file, state)

    assert found.form == "component"
    assert set(found.moved) == {"unet"}
    assert any("it has no vae and no text_encoder" in note for note in found.notes)


def test_the_averaged_copy_in_a_single_file_is_read_when_asked_for(small, tmp_path):
    state, base, tuned = small
    file = tmp_path / "both.safetensors"
    averaged = {
        f"model_ema.{key.removeprefix('model.').replace('.', '')}": tensor
        for key, tensor in unet_in(tuned).items()
    }
    save_file(unet_in(base) | averaged, file)

    plain, ema = derived(file, state), derived(file, state, ema=True)

    assert plain.moved == {}
    assert any("--ema audits it" in note for note in plain.notes)
    assert ema.moved == pytest.approx(derived(tuned / "unet", state).moved)


def test_a_single_file_of_another_model_is_refused(small, tmp_path):
    state, *_ = small
    other = build_pipeline(tmp_path / "xl", family="xl")
    file = tmp_path / "xl.safetensors"
    save_file(single_of(other, "xl"), file)

    with pytest.raises(ModelError, match="not of the ledger's model"):
        derived(file, state)


def test_a_single_file_of_a_smaller_model_is_refused(small, tmp_path):
    _, base, _ = small
    xl = FinetuneBase(
        DiffusersModel.load(build_pipeline(tmp_path / "xl", family="xl")), {}
    )
    file = tmp_path / "small.safetensors"
    save_file(single_of(base, "1.5"), file)

    with pytest.raises(ModelError, match="it has no 'label_emb"):
        derived(file, xl)


@pytest.mark.parametrize(
    ("metadata", "marked", "said"),
    [
        ({"modelspec.prediction_type": "v"}, False, "v_prediction"),
        ({}, True, "v_prediction"),
        ({"modelspec.prediction_type": "epsilon"}, False, ""),
    ],
)
def test_what_a_single_file_says_that_it_predicts_is_heard(
    small, tmp_path, metadata, marked, said
):
    state, base, _ = small
    file = tmp_path / "said.safetensors"
    mark = {"v_pred": torch.zeros(0)} if marked else {}
    save_file(unet_in(base) | mark, file, metadata=metadata)

    if said:
        with pytest.raises(ModelError, match=f"predicts '{said}', the base 'epsilon'"):
            derived(file, state)
    else:
        assert derived(file, state).moved == {}


def test_asking_a_single_file_for_an_average_that_is_not_there(small, tmp_path):
    state, base, _ = small
    file = tmp_path / "plain.safetensors"
    save_file(unet_in(base), file)

    with pytest.raises(ModelError, match="no averaged copy"):
        derived(file, state, ema=True)


def test_a_file_with_more_blocks_than_a_network_has_is_refused(origin, state):
    """Diffusers went through all keys for each of 40,000 blocks: for hours."""
    name = "transformer_blocks.0.attn2.to_k.weight"
    path = origin.parent / "many.safetensors"
    keys = [f"model.diffusion_model.input_blocks.{i}.1.{name}" for i in range(65)]
    save_file({key: torch.zeros(1) for key in keys}, path)

    with pytest.raises(ModelError, match="65 blocks called input_blocks"):
        derived(path, state)


def test_tensors_of_no_network_are_counted_and_named(small, tmp_path):
    """They were dropped in silence, whatever they were."""
    state, base, _ = small
    tensors = single_of(base, "1.5")
    more = {"lora_unet_x.lora_up.weight": torch.zeros(1), "betas": torch.zeros(2)}
    save_file(tensors | more, tmp_path / "merged.safetensors")

    notes = derived(tmp_path / "merged.safetensors", state).notes

    assert notes[-1] == (
        "1 tensor in it of no known network, not read: 'lora_unet_x.lora_up.weight'"
    )
