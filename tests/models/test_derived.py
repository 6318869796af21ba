"""Whatever trainers write of a model is read as what they meant, or refused by name."""

import copy
import json
import shutil
from typing import Any

import pytest
import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import IA3Config, LoraConfig, OFTConfig, VeraConfig, get_peft_model
from peft.utils import get_peft_model_state_dict
from safetensors.torch import load_file, save_file

from tests.tiny import build_pipeline
from unlearnlog.checkpoints.finetune_base import FinetuneBase
from unlearnlog.checkpoints.finetuned_model import derived
from unlearnlog.errors import DeltaError, ModelError, WrongBase
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept:DeprecationWarning"
)
WEIGHTS = "diffusion_pytorch_model.safetensors"
QUICK = Sampling(steps=1, guidance=1.0)
TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"


def unet_of(folder):
    return load_file(folder / "unet" / WEIGHTS)


def nudged(tensors, by=0.01):
    source = torch.Generator().manual_seed(1)
    return {
        name: t + (by * torch.randn(t.shape, generator=source)).to(t.dtype)
        for name, t in tensors.items()
    }


def test_what_was_only_copied_is_the_state_itself(tuned, state):
    found = derived(tuned, state)

    assert found.form == "pipeline"
    assert found.moved == {}
    assert found.weights.keys() == state.projections.keys()
    assert all(
        torch.equal(found.weights[n], state.projections[n]) for n in found.weights
    )


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
def test_a_fine_tuned_folder_gives_its_own_numbers(tuned, state, dtype):
    new = {n: t.to(dtype) for n, t in nudged(unet_of(tuned)).items()}
    save_file(new, tuned / "unet" / WEIGHTS)

    found = derived(tuned, state)

    assert all(
        torch.equal(found.weights[f"unet.{n}"], t.float()) for n, t in new.items()
    )
    assert 0 < found.moved["unet"] < 0.5
    assert "vae" not in found.moved


def test_half_precision_of_a_state_is_that_state(tuned, state):
    wide = {n: t.float() for n, t in unet_of(tuned).items()}
    save_file(wide, tuned / "unet" / WEIGHTS)

    assert derived(tuned, state).moved == {}


def test_a_state_that_was_rounded_on_the_way_is_that_state(tmp_path):
    """Computed in half precision and saved in the dtype of the base, or in bfloat16."""
    base = build_pipeline(tmp_path / "base")
    fine = {n: t.float() + 1e-5 for n, t in unet_of(base).items()}
    save_file(fine, base / "unet" / WEIGHTS, metadata={"format": "pt"})
    state = FinetuneBase(DiffusersModel.load(base), {})

    for dtype in (torch.float16, torch.bfloat16):
        for saved in (dtype, torch.float32):
            rounded = {n: t.to(dtype).to(saved) for n, t in fine.items()}
            save_file(rounded, tmp_path / "rounded.safetensors")
            assert derived(tmp_path / "rounded.safetensors", state).moved == {}


def test_shards_variants_and_wrappers_are_read_alike(tmp_path, tuned, state):
    new = nudged(unet_of(tuned))
    save_file(new, tuned / "unet" / WEIGHTS)
    whole = derived(tuned, state)
    sharded, variant = tmp_path / "sharded", tmp_path / "variant"
    UNet2DConditionModel.from_pretrained(
        tuned / "unet", torch_dtype=torch.float16
    ).save_pretrained(sharded / "unet", max_shard_size="60KB")
    UNet2DConditionModel.from_pretrained(
        tuned / "unet", torch_dtype=torch.float16
    ).save_pretrained(variant / "unet", variant="fp16")
    wrapped = tmp_path / "wrapped.safetensors"
    save_file({f"module._orig_mod.{n}": t for n, t in new.items()}, wrapped)

    for path in (sharded, variant, wrapped, tuned / "unet"):
        found = derived(path, state)
        assert found.form == "component"
        assert found.n_tensors == len(new)
        assert all(torch.equal(found.weights[n], t) for n, t in whole.weights.items())
    assert len([*(sharded / "unet").glob("*.safetensors")]) > 1
    assert derived(variant, state).notes == ("the variant 'fp16' of 'unet' was read",)


def renamed(folder, names):
    """Give an autoencoder's attention other names on disk."""
    file = folder / "vae" / WEIGHTS
    found = {}
    for key, tensor in load_file(file).items():
        for old, new in names.items():
            key = key.replace(f".attentions.0.{old}.", f".attentions.0.{new}.")
        found[key] = tensor
    save_file(found, file)


OLDER = {"to_q": "query", "to_k": "key", "to_v": "value", "to_out.0": "proj_attn"}


def test_an_autoencoder_with_names_of_before_2023_is_the_same_one(tmp_path):
    """So it lies on the hub: whoever saves it again writes today's names."""
    base = build_pipeline(tmp_path / "base")
    renamed(base, OLDER)
    model = DiffusersModel.load(base)
    state = FinetuneBase(model, {})
    same, other, again = (tmp_path / name for name in ("same", "other", "again"))
    for folder in (same, other, again):
        shutil.copytree(base, folder)
    renamed(same, {old: new for new, old in OLDER.items()})
    tensors = load_file(again / "vae" / WEIGHTS)
    save_file(nudged(tensors), again / "vae" / WEIGHTS)
    shutil.copytree(again, other, dirs_exist_ok=True)
    renamed(other, {old: new for new, old in OLDER.items()})

    saved_again, old, new = (derived(path, state) for path in (same, again, other))

    assert saved_again.moved == {}
    assert saved_again.is_plain
    assert old.moved == new.moved != {}
    assert any(".attentions.0.query." in name for name in old.weights)
    painted = [
        model.paint(["a cat"], [0], sampling=QUICK, weights=each.weights).pictures
        for each in (old, new)
    ]
    assert torch.equal(*painted)
    plain = model.paint(["a cat"], [0], sampling=QUICK).pictures
    assert not torch.equal(plain, painted[0])


def test_the_networks_of_a_trainer_s_state_are_told_apart(tmp_path, tuned, state):
    """As accelerate saves them: ``model``, ``model_1``, in a trainer's order."""
    unet = nudged(unet_of(tuned))
    (file,) = (tuned / "text_encoder").glob("*.safetensors")
    encoder = nudged(load_file(file))
    save_file(encoder, tmp_path / "model.safetensors")
    save_file(unet, tmp_path / "model_1.safetensors")

    found = derived(tmp_path, state)

    assert found.n_tensors == len(unet) + len(encoder)
    assert set(found.moved) == {"unet", "text_encoder"}

    save_file({"strange": torch.zeros(2)}, tmp_path / "model_2.safetensors")
    with pytest.raises(ModelError, match=r"model_2.safetensors' is of none"):
        derived(tmp_path, state)


def test_a_file_of_another_network_than_the_unet_is_known_by_its_keys(tuned, state):
    (file,) = (tuned / "text_encoder").glob("*.safetensors")
    save_file(nudged(load_file(file)), file)

    assert set(derived(file, state).moved) == {"text_encoder"}


def test_an_adapter_beside_whole_weights_is_refused(tuned, state):
    """transformers and diffusers add it to the weights without being asked."""
    adapter = tuned / "text_encoder" / "adapter_model.safetensors"
    save_file({"x.lora_A.weight": torch.zeros(2, 2)}, adapter)

    with pytest.raises(ModelError, match=r"an adapter, 'adapter_model.safetensors'"):
        derived(tuned, state)


def test_a_whole_pipeline_moved_in_every_part_is_read_whole(tuned, state):
    for part, file in (("vae", WEIGHTS), ("text_encoder", "model.safetensors")):
        save_file(nudged(load_file(tuned / part / file)), tuned / part / file)

    assert set(derived(tuned, state).moved) == {"vae", "text_encoder"}


def test_an_averaged_copy_is_offered_and_read_when_asked_for(tuned, state):
    shutil.copytree(tuned / "unet", tuned / "unet_ema")
    save_file(nudged(unet_of(tuned)), tuned / "unet_ema" / WEIGHTS)

    last, averaged = derived(tuned, state), derived(tuned, state, ema=True)

    assert last.moved == {}
    assert "--ema" in last.notes[0]
    assert averaged.moved["unet"] > 0


def test_where_only_an_averaged_copy_is_there_it_is_read(tuned, state):
    (tuned / "unet").rename(tuned / "unet_ema")
    file = tuned / "unet_ema" / WEIGHTS
    save_file(nudged(load_file(file)), file)

    found = derived(tuned, state)

    assert set(found.moved) == {"unet"}
    assert found.notes == ("the averaged UNet in 'unet_ema' was read",)
    assert not found.is_plain


@pytest.mark.parametrize("part", ["unet", "text_encoder", "vae"])
def test_a_pipeline_without_a_component_that_it_names_is_refused(tuned, state, part):
    shutil.rmtree(tuned / part)

    with pytest.raises(ModelError, match=f"names '{part}' in its model_index.json"):
        derived(tuned, state)


def test_what_diffusers_would_load_from_there_is_plain(tuned, state):
    assert derived(tuned, state).is_plain

    wrapped = {f"module.{n}": t for n, t in unet_of(tuned).items()}
    save_file(wrapped, tuned / "unet" / WEIGHTS)
    assert not derived(tuned, state).is_plain

    (tuned / "unet" / WEIGHTS).rename(
        tuned / "unet" / "diffusion_pytorch_model.fp16.safetensors"
    )
    assert not derived(tuned, state).is_plain


def test_asking_for_an_averaged_copy_that_is_not_there_is_an_error(tuned, state):
    with pytest.raises(ModelError, match="no averaged copy"):
        derived(tuned, state, ema=True)


def adapted(folder, alpha):
    """A pipeline with a LoRA of rank 2 in its UNet and its text encoder."""
    pipeline = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    names = ["to_q", "to_k", "to_v", "to_out.0", "conv1"]
    for network, modules in (
        (pipeline.unet, names),
        (pipeline.text_encoder, ["q_proj", "v_proj"]),
    ):
        network.add_adapter(LoraConfig(r=2, lora_alpha=alpha, target_modules=modules))
        source = torch.Generator().manual_seed(7)
        for name, parameter in network.named_parameters():
            if "lora" in name:
                parameter.data = 0.1 * torch.randn(parameter.shape, generator=source)
    return pipeline


def as_diffusers_saves(pipeline, path):
    StableDiffusionPipeline.save_lora_weights(
        path,
        unet_lora_layers=get_peft_model_state_dict(pipeline.unet),
        text_encoder_lora_layers=get_peft_model_state_dict(pipeline.text_encoder),
        unet_lora_adapter_metadata=pipeline.unet.peft_config["default"].to_dict(),
        text_encoder_lora_adapter_metadata=(
            pipeline.text_encoder.peft_config["default"].to_dict()
        ),
    )
    return path


def as_kohya_saves(pipeline, path):
    tensors = {}
    for prefix, network in (
        ("lora_unet_", pipeline.unet),
        ("lora_te_", pipeline.text_encoder),
    ):
        for key, tensor in get_peft_model_state_dict(network).items():
            module, _, end = key.partition(".lora_")
            if prefix == "lora_te_" and not module.startswith("text_model"):
                module = f"text_model.{module}"
            flat = prefix + module.replace(".", "_")
            part = "down" if end.startswith("A") else "up"
            tensors[f"{flat}.lora_{part}.weight"] = tensor.contiguous()
            tensors[f"{flat}.alpha"] = torch.tensor(4.0)
    save_file(tensors, path)
    return path


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")
@pytest.mark.parametrize("form", ["diffusers", "kohya"])
def test_a_lora_means_what_peft_makes_of_it(tmp_path, tuned, state, form):
    pipeline = adapted(tuned, alpha=4)
    path = (
        as_diffusers_saves(pipeline, tmp_path / "lora")
        if form == "diffusers"
        else as_kohya_saves(pipeline, tmp_path / "lora.safetensors")
    )
    model = state.model
    text = "a photo of a cat"
    x_t, t = torch.stack([model.latent(text, 0)]), torch.tensor([500])

    found = derived(path, state)

    assert found.form == "lora"
    tokens = model.encode([text], weights=found.weights)
    ids = pipeline.tokenizer(text, padding="max_length", return_tensors="pt").input_ids
    with torch.no_grad():
        heard = pipeline.text_encoder(ids)[0]
        expected = pipeline.unet(x_t, t, heard, return_dict=False)[0]
    torch.testing.assert_close(tokens.tokens, heard, atol=1e-5, rtol=1e-5)
    ours = model.eps(x_t, t, tokens, weights=found.weights)
    torch.testing.assert_close(ours, expected, atol=1e-4, rtol=1e-4)


def test_an_adapter_of_peft_is_scaled_as_its_config_says(tmp_path, tuned, state):
    pipeline = adapted(tuned, alpha=6)
    folder = tmp_path / "adapter"
    folder.mkdir()
    tensors = get_peft_model_state_dict(pipeline.unet)
    save_file(
        {f"base_model.model.{n}": t.contiguous() for n, t in tensors.items()},
        folder / "adapter_model.safetensors",
    )
    config = {"r": 2, "lora_alpha": 6}
    for said in (config, {"r": 2, "lora_alpha": 2}):
        (folder / "adapter_config.json").write_text(json.dumps(said))
        weight = derived(folder, state).weights[f"unet.{TO_K}.weight"]
        up, down = (tensors[f"{TO_K}.lora_{part}.weight"] for part in "BA")
        old = state[f"unet.{TO_K}.weight"].float()
        expected = old + said["lora_alpha"] / 2 * up @ down
        torch.testing.assert_close(weight, expected, atol=1e-6, rtol=1e-6)


def test_a_pattern_of_alphas_is_matched_as_peft_does(tmp_path, tuned, state):
    folder = as_peft_saves(adapted(tuned, alpha=2).unet, tmp_path / "adapter")
    plain = derived(folder, state).weights[f"unet.{TO_K}.weight"]
    old = state[f"unet.{TO_K}.weight"].float()
    for pattern in (f"^{TO_K}", "to_k", r"attn2\.to_[kv]"):
        said = {"r": 2, "lora_alpha": 2, "alpha_pattern": {pattern: 6}}
        (folder / "adapter_config.json").write_text(json.dumps(said))
        weight = derived(folder, state).weights[f"unet.{TO_K}.weight"]
        torch.testing.assert_close(
            weight - old, 3 * (plain - old), atol=1e-6, rtol=1e-5
        )


def as_peft_saves(network, folder, name="", **said):
    folder.mkdir(parents=True)
    tensors = get_peft_model_state_dict(network)
    save_file(
        {
            f"base_model.model.{n.removesuffix('.weight')}{name}.weight": t.contiguous()
            for n, t in tensors.items()
        },
        folder / "adapter_model.safetensors",
    )
    config = {"r": 2, "lora_alpha": 2, **said}
    (folder / "adapter_config.json").write_text(json.dumps(config))
    return folder


@pytest.mark.filterwarnings("ignore:Already found a `peft_config`:UserWarning")
def test_adapters_of_two_components_are_one_lora(tmp_path, tuned, state):
    """Each with an alpha of its own, under whatever name it was trained."""
    pipeline = adapted(tuned, alpha=4)
    whole = derived(as_diffusers_saves(pipeline, tmp_path / "lora"), state)
    out = tmp_path / "out"
    as_peft_saves(pipeline.unet, out / "unet", name=".mine", lora_alpha=4)
    as_peft_saves(pipeline.text_encoder, out / "text_encoder", lora_alpha=2)

    both, text = derived(out, state), derived(out / "text_encoder", state)

    for name, weight in whole.weights.items():
        old = state[name].float()
        half = 0.5 if name.startswith("text_encoder.") else 1
        expected = old + half * (weight - old)
        torch.testing.assert_close(both.weights[name], expected, atol=1e-6, rtol=1e-5)
        if half != 1:
            assert torch.equal(text.weights[name], both.weights[name])
    assert set(text.moved) == {"text_encoder"}


def test_the_attention_processors_of_older_diffusers_are_read(tmp_path, state):
    layer = TO_K.removesuffix(".to_k")
    source = torch.Generator().manual_seed(3)
    shapes = {p: state.shapes[f"unet.{layer}.{p}.weight"] for p in ("to_k", "to_out.0")}
    for before in (f"{layer}.processor.", f"unet.{layer}.processor.", f"{layer}."):
        tensors, wanted = {}, {}
        for projection, (n_out, n_in) in shapes.items():
            up = torch.randn(n_out, 2, generator=source)
            down = torch.randn(2, n_in, generator=source)
            stem = before + projection.removesuffix(".0")
            tensors[f"{stem}_lora.up.weight"] = up
            tensors[f"{stem}_lora.down.weight"] = down
            wanted[f"unet.{layer}.{projection}.weight"] = 0.01 * up @ down
        for key in tensors:
            tensors[key] = tensors[key] * 0.1
        path = tmp_path / "old.safetensors"
        save_file(tensors, path)

        found = derived(path, state)

        for name, change in wanted.items():
            moved = found.weights[name] - state[name].float()
            torch.testing.assert_close(moved, change, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(
    ("key", "said", "method"),
    [
        (f"{TO_K}.oft_r", {}, "an OFT of a peft before 0.15"),
        (f"{TO_K}.lora_A.weight", {"peft_type": "FOURIERFT"}, "the kind FOURIERFT"),
        (
            f"{TO_K}.lora_A.weight",
            {"init_lora_weights": "pissa_niter_4"},
            "begun as pissa_niter_4",
        ),
    ],
)
def test_an_adapter_of_another_method_is_refused_by_its_name(
    tmp_path, state, key, said, method
):
    path = tmp_path / "x.safetensors"
    noted = {"lora_adapter_metadata": json.dumps(said)} if said else None
    save_file({key: torch.ones(1, 32)}, path, metadata=noted)

    with pytest.raises(ModelError, match=method) as refused:
        derived(path, state)

    assert "merge it" in refused.value.fix


OWN_OF_PEFT: dict[str, Any] = {
    "OFT": OFTConfig(r=0, oft_block_size=8, use_cayley_neumann=False),
    "IA3": IA3Config(feedforward_modules=["to_v"]),
    "VeRA": VeraConfig(r=3),
}


@pytest.mark.parametrize("kind", OWN_OF_PEFT)
def test_a_folder_of_peft_with_its_configuration_is_read_as_peft_merges_it(
    tmp_path, state, tiny_folder, kind
):
    config = copy.deepcopy(OWN_OF_PEFT[kind])
    config.target_modules = {TO_K, TO_K.replace("to_k", "to_v")}
    unet = UNet2DConditionModel.from_pretrained(tiny_folder / "unet").float()
    own = {n: state[f"unet.{n}"].float() for n, _ in unet.named_parameters()}
    unet.load_state_dict(own)
    adapted = get_peft_model(unet, config)
    source = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for each in adapted.parameters():
            if each.requires_grad:
                each.add_(0.1 * torch.randn(each.shape, generator=source))
    adapted.save_pretrained(tmp_path / "adapter")
    merged = adapted.merge_and_unload().state_dict()

    found = derived(tmp_path / "adapter" / "adapter_model.safetensors", state)

    for module in (TO_K, TO_K.replace("to_k", "to_v")):
        name = f"unet.{module}.weight"
        torch.testing.assert_close(
            found.weights[name], merged[f"{module}.weight"], atol=1e-5, rtol=1e-5
        )
        assert not torch.equal(found.weights[name], state[name].float())
    assert found.moved.keys() == {"unet"}


def broken(tensors, how):
    name = f"{TO_K}.weight"
    if how == "missing":
        return {n: t for n, t in tensors.items() if n != name}
    if how == "another shape":
        return {**tensors, name: torch.zeros(3, 3)}
    if how == "a stranger":
        return {**tensors, "new_block.weight": torch.zeros(3)}
    if how == "not finite":
        return {**tensors, name: tensors[name] * float("nan")}
    return {n: torch.randn(t.shape) for n, t in tensors.items()}


@pytest.mark.parametrize(
    ("how", "error", "said"),
    [
        ("missing", ModelError, f"1 of .* are missing: 'unet.{TO_K}.weight'"),
        ("another shape", ModelError, rf"'{TO_K}.weight' is \[3, 3\], the base's is"),
        ("a stranger", ModelError, "1 of its tensors are none .*'new_block.weight'"),
        ("not finite", DeltaError, "not finite"),
        ("another model", WrongBase, "its unet is .* away"),
    ],
)
def test_what_is_not_of_the_model_is_refused_by_name(tuned, state, how, error, said):
    torch.manual_seed(0)
    save_file(broken(unet_of(tuned), how), tuned / "unet" / WEIGHTS)

    with pytest.raises(error, match=said):
        derived(tuned, state)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["unet.nothing.lora_A.weight"], "1 of 1 tensors are no factors"),
        (
            [f"unet.{TO_K}.lora_A.weight", "unet.nothing.lora_B.weight"],
            "1 of 2 tensors are no factors .*'unet.nothing.lora_B.weight'",
        ),
        ([f"unet.{TO_K}.lora_A.weight"], "its column factor is missing"),
    ],
)
def test_a_lora_that_matches_nothing_or_only_some_is_refused(
    tmp_path, state, keys, said
):
    path = tmp_path / "x.safetensors"
    save_file({key: torch.ones(1, 32) for key in keys}, path)

    with pytest.raises(DeltaError, match=said):
        derived(path, state)


def test_another_kind_of_prediction_is_refused(tuned, state):
    path = tuned / "scheduler" / "scheduler_config.json"
    config = json.loads(path.read_text()) | {"prediction_type": "v_prediction"}
    path.write_text(json.dumps(config))

    with pytest.raises(ModelError, match="prediction_type is 'v_prediction'"):
        derived(tuned, state)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda _: None, "there is no folder or file"),
        (lambda path: path.mkdir(), "neither a pipeline"),
        (lambda path: (path / "checkpoint-500").mkdir(parents=True), "1 checkpoints"),
        (
            lambda path: (
                (path / "unet").mkdir(parents=True)
                or (path / "unet" / "diffusion_pytorch_model.bin").touch()
            ),
            "as a pickle",
        ),
    ],
)
def test_where_nothing_can_be_read_it_says_why(tmp_path, state, make, said):
    path = tmp_path / "model"
    make(path)

    with pytest.raises(ModelError, match=said):
        derived(path, state)


def test_a_pickle_is_not_opened(tmp_path, state):
    path = tmp_path / "lora.bin"
    path.write_bytes(b"cos\nsystem\n")

    with pytest.raises(DeltaError, match="was not opened"):
        derived(path, state)
