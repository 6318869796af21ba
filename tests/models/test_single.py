"""Single files of the original format mean what the same folder means."""

import re

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetuned_model import FinetuneBase, derived
from unlearnlog.checkpoints.ldm_names import original_names
from unlearnlog.errors import ModelError
from unlearnlog.models.diffusers_model import DiffusersModel

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)
AUTOENCODER = (  # as github.com/CompVis/stable-diffusion calls what diffusers calls so
    (r"(en|de)coder\.conv_norm_out", r"\1coder.norm_out"),
    (r"encoder\.down_blocks\.(\d)\.resnets\.(\d)", r"encoder.down.\1.block.\2"),
    (r"encoder\.down_blocks\.(\d)\.downsamplers\.0", r"encoder.down.\1.downsample"),
    (r"decoder\.up_blocks\.0\.resnets\.(\d)", r"decoder.up.1.block.\1"),
    (r"decoder\.up_blocks\.1\.resnets\.(\d)", r"decoder.up.0.block.\1"),
    (r"decoder\.up_blocks\.0\.upsamplers\.0", r"decoder.up.1.upsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"mid_block\.attentions\.0\.group_norm", "mid.attn_1.norm"),
    (r"mid_block\.attentions\.0\.to_([qkv])", r"mid.attn_1.\1"),
    (r"mid_block\.attentions\.0\.to_out\.0", "mid.attn_1.proj_out"),
)
OPEN_CLIP = (  # and github.com/mlfoundations/open_clip
    (
        r"^(?:text_model\.)?embeddings\.position_embedding\.weight",
        "positional_embedding",
    ),
    (r"^(?:text_model\.)?embeddings\.token_embedding", "token_embedding"),
    (r"^(?:text_model\.)?final_layer_norm", "ln_final"),
    (r"^(?:text_model\.)?encoder\.layers", "transformer.resblocks"),
    (r"layer_norm(\d)", r"ln_\1"),
    (r"self_attn\.out_proj", "attn.out_proj"),
    (r"mlp\.fc1", "mlp.c_fc"),
    (r"mlp\.fc2", "mlp.c_proj"),
)


def tensors_of(folder, component):
    (file,) = (folder / component).glob("*.safetensors")
    return load_file(file)


def renamed(key, rules):
    for pattern, new in rules:
        key = re.sub(pattern, new, key)
    return key


def unet_in(folder, before="model.diffusion_model."):
    found = {}
    unet = tensors_of(folder, "unet")
    for name, tensor in unet.items():
        module, _, part = name.rpartition(".")
        # Where a level that does not attend ends by doubling, that is its second part.
        said = original_names(module, 1)
        resized = "up_blocks.1.upsamplers" in module
        found[f"{before}{said[0 if resized else -1]}.{part}"] = tensor
    return found


def autoencoder_in(folder):
    found = {}
    for name, tensor in tensors_of(folder, "vae").items():
        flat = "attentions" in name and tensor.dim() == 2
        key = f"first_stage_model.{renamed(name, AUTOENCODER)}"
        found[key] = tensor[..., None, None].contiguous() if flat else tensor
    return found


def clip_in(folder, before):
    return {
        f"{before}text_model.{name.removeprefix('text_model.')}": tensor
        for name, tensor in tensors_of(folder, "text_encoder").items()
    }


def open_clip_in(folder, component, before):
    found: dict[str, torch.Tensor] = {}
    fused: dict[str, dict[str, torch.Tensor]] = {}
    for name, tensor in tensors_of(folder, component).items():
        if name == "text_projection.weight":
            found[f"{before}text_projection"] = tensor.T.contiguous()
        elif m := re.search(r"(.+)self_attn\.([qkv])_proj\.(weight|bias)", name):
            key = f"{before}{renamed(m[1], OPEN_CLIP)}attn.in_proj_{m[3]}"
            fused.setdefault(key, {})[m[2]] = tensor
        else:
            found[before + renamed(name, OPEN_CLIP)] = tensor
    for key, parts in fused.items():
        found[key] = torch.cat([parts[each] for each in "qkv"])
    return found


def single_of(folder, family):
    """Return a folder's tensors as the original code would keep them."""
    found = unet_in(folder) | autoencoder_in(folder)
    if family == "xl":
        found |= clip_in(folder, "conditioner.embedders.0.transformer.")
        found |= open_clip_in(
            folder, "text_encoder_2", "conditioner.embedders.1.model."
        )
    elif family == "2.1":
        found |= open_clip_in(folder, "text_encoder", "cond_stage_model.model.")
    else:
        found |= clip_in(folder, "cond_stage_model.transformer.")
    return found


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
