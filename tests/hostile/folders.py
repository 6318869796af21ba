"""Base folders of somebody who means harm, or of a tool that went wrong.

Each is a change of a sound tiny pipeline. What comes of it: it is refused in a
sentence, or what is loaded is the untouched pipeline to the bit.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.hostile.damage import (
    WEIGHTS,
    config,
    content,
    first,
    header,
    header_of,
    put,
    set_json,
)

Damage = Callable[[Path, Path], object]
DEEP = "[" * 900 + "]" * 900
KERNEL = "kernels-community/flash-attn3"

FOLDERS: dict[str, Damage] = {}


def _add(name: str, damage: Damage) -> None:
    assert name not in FOLDERS, name
    FOLDERS[name] = damage


ASKING: dict[str, Any] = {
    "quantised by bitsandbytes": {
        "quantization_config": {"quant_method": "bitsandbytes", "load_in_8bit": True}
    },
    "quantised by gptq": {"quantization_config": {"quant_method": "gptq", "bits": 4}},
    "code by auto_map": {"auto_map": {"AutoModel": "evil.Model"}},
    "kernel of the hub": {"attn_implementation": KERNEL},
    "kernel of the hub, private key": {"_attn_implementation": KERNEL},
    "kernel of the hub, a flash": {"_attn_implementation": "flash_attention_2"},
    "weights elsewhere": {"base_model_name_or_path": "somebody/elsewhere"},
    "weights in a folder": {"base_model_name_or_path": "SECRET"},
    "remote code": {"trust_remote_code": True},
    "a name on the network": {"_name_or_path": "https://evil.example/model"},
    "no defaults": {"_use_default_values": ["hidden_size", "block_out_channels"]},
    "a dtype that is a call": {"dtype": "os.system", "torch_dtype": "os.system"},
    "a lone kernel class": {"use_kernels": True, "kernel_config": {"RMSNorm": KERNEL}},
}
for part in ("unet", "vae", "text_encoder"):
    for what, changes in ASKING.items():
        _add(f"{part}: {what}", config(part, **changes))

SIZES: dict[str, tuple[dict[str, Any], ...]] = {
    "text_encoder": (
        {"num_hidden_layers": 10**6},
        {"num_hidden_layers": 2 * 10**9},
        {"num_hidden_layers": -1},
        {"num_hidden_layers": "2"},
        {"num_hidden_layers": [2]},
        {"num_hidden_layers": 10**300},
        {"hidden_size": 2**40},
        {"hidden_size": "32"},
        {"hidden_size": [32]},
        {"hidden_size": 0},
        {"vocab_size": 10**12},
        {"vocab_size": 10**6},
        {"max_position_embeddings": 10**9},
        {"intermediate_size": 10**6},
        {"num_attention_heads": 0},
        {"num_attention_heads": 7},
        {"hidden_act": "/etc/passwd"},
        {"hidden_act": "evil"},
        {"layer_norm_eps": float("nan")},
        {"layer_norm_eps": "small"},
        {"eos_token_id": {"a": 1}},
    ),
    "unet": (
        {"layers_per_block": 10**6},
        {"transformer_layers_per_block": 10**6},
        {"block_out_channels": [16] * 10**5},
        {"block_out_channels": [0, 0]},
        {"block_out_channels": 16},
        {"block_out_channels": json.loads(DEEP)},
        {"sample_size": 10**7},
        {"sample_size": "8"},
        {"sample_size": [8, 8, 8]},
        {"sample_size": [[8], [8]]},
        {"in_channels": [4]},
        {"in_channels": "4"},
        {"cross_attention_dim": "32"},
        {"addition_embed_type": ["text_time"]},
        {"projection_class_embeddings_input_dim": "72"},
        {"down_block_types": ["CrossAttnDownBlock2D"] * 50},
        {"down_block_types": ["evil.Block", "DownBlock2D"]},
        {"mid_block_type": "/etc/passwd"},
        {"act_fn": "__import__('os')"},
        {"norm_num_groups": 0},
        {"norm_num_groups": 7},
        {"attention_head_dim": 0},
        {"cross_attention_dim": 10**6},
        {"conv_in_kernel": 10**6},
        {"time_embedding_type": "fourier"},
        {"class_embed_type": "timestep"},
        {"encoder_hid_dim_type": "text_proj", "encoder_hid_dim": 10**6},
    ),
    "vae": (
        {"layers_per_block": 10**9},
        {"latent_channels": 10**6},
        {"block_out_channels": [8, 2**40]},
        {"scaling_factor": "0.18"},
        {"scaling_factor": float("nan")},
        {"up_block_types": ["evil"] * 2},
    ),
    "scheduler": (
        {"num_train_timesteps": 2 * 10**9},
        {"num_train_timesteps": 0},
        {"num_train_timesteps": -5},
        {"num_train_timesteps": "1000"},
        {"trained_betas": [0.1] * 10**6},
        {"beta_schedule": "exec"},
        {"beta_end": "0.012"},
        {"beta_end": float("nan")},
        {"solver_order": 10**9},
        {"algorithm_type": "evil"},
        {"timestep_spacing": "evil"},
        {"solver_type": "evil"},
        {"prediction_type": "evil"},
        {"_class_name": "evil.Scheduler"},
    ),
}
for part, cases in SIZES.items():
    for each in cases:
        (key, value), *_ = each.items()
        _add(f"{part}: {key} {str(value)[:40]}", config(part, **each))


def _scheduler_class(name: object) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        set_json(folder / "model_index.json", scheduler=["diffusers", name])

    return damage


for kind in (
    *("DPMSolverSDEScheduler", "FlaxDDPMScheduler", "SchedulerMixinScheduler"),
    *("os", "CosineDPMSolverMultistepScheduler", "__class__Scheduler", {"a": 1}),
):
    _add(f"scheduler of class {kind}", _scheduler_class(kind))

TOKENIZERS: dict[str, dict[str, Any]] = {
    "length in letters": {"model_max_length": "77"},
    "length a list": {"model_max_length": [77]},
    "code": {"auto_map": {"AutoTokenizer": ["evil.Tokenizer", None]}},
    "another class": {"tokenizer_class": "EvilTokenizer"},
    "a vocabulary elsewhere": {"vocab_file": "SECRET", "merges_file": "SECRET"},
    "a file elsewhere": {"tokenizer_file": "SECRET", "name_or_path": "SECRET"},
    "versions elsewhere": {"fast_tokenizer_files": ["tokenizer.9.json", "../evil"]},
    "a template": {"chat_template": "{{ ''.__class__.__mro__ }}" * 100},
    "positional arguments": {"init_inputs": ["SECRET", "SECRET"]},
    "a mark that is a number": {"eos_token": 5},
    "a mark of another kind": {"bos_token": {"content": "x", "evil": True}},
    "tokens numbered in words": {"added_tokens_decoder": {"one": {"content": "x"}}},
    "half a letter": {"errors": "\ud800", "eos_token": "\ud800"},
    "no length at all": {"model_max_length": 10**30},
    "a token far away": {"added_tokens_decoder": {"9999999999": {"content": "x"}}},
    "a million tokens": {
        "extra_special_tokens": [f"<{number}>" for number in range(5_000)]
    },
}
for what, changes in TOKENIZERS.items():
    _add(f"tokenizer: {what}", config("tokenizer", **changes))


def _whole(**changes: Any) -> Damage:
    """Change the tokenizer itself; keys with two underscores lead into its model."""

    def damage(folder: Path, _: Path) -> None:
        file = folder / "tokenizer" / "tokenizer.json"
        said = json.loads(file.read_text())
        for key, value in changes.items():
            place = said["model"] if key.startswith("model__") else said
            place[key.removeprefix("model__")] = value
        file.write_text(json.dumps(said))

    return damage


_BOMB = {"type": "Replace", "pattern": {"Regex": "((a{900}){900}){900}"}, "content": ""}
WHOLE: dict[str, dict[str, Any]] = {
    "an expression as large as memory": {"normalizer": _BOMB},
    "a cutter nobody knows": {"pre_tokenizer": {"type": "Evil"}},
    "an ending nobody knows": {"post_processor": {"type": "Evil"}},
    "no vocabulary": {"model__vocab": {}},
    "a vocabulary that is a list": {"model__vocab": [["a", 0.5]]},
    "negative tokens": {"model__vocab": {"a</w>": -1}},
    "tokens beyond the table": {"model__vocab": {"a</w>": 2**31}},
    "numbers in words": {"model__vocab": {"a</w>": "0"}},
    "merges of nothing": {"model__merges": [["never", "there"]]},
    "merges that are numbers": {"model__merges": [1, 2, 3]},
    "no merges": {"model__merges": None},
    "no model": {"model": "evil"},
    "added tokens that are words": {"added_tokens": "evil"},
    "padding that is a word": {"padding": "evil"},
    "truncation to nothing": {"truncation": {"max_length": -5}},
}
for what, changes in WHOLE.items():
    _add(f"tokenizer.json: {what}", _whole(**changes))

CONTENT: dict[str, tuple[str, bytes]] = {
    "an index in lists": ("model_index.json", DEEP.encode()),
    "an index of one number": ("model_index.json", b"9" * 5000),
    "an index that is no text": ("model_index.json", b"\xff\xfe\x00"),
    "a config in lists": ("unet/config.json", (100 * DEEP).encode()),
    "a config of objects": (
        "vae/config.json",
        b'{"a":' * 50_000 + b"}" * 50_000,
    ),
    "a config that is too large": ("unet/config.json", b" " * (33 * 2**20)),
    "a scheduler that is a list": ("scheduler/scheduler_config.json", b"[]"),
    "a tokenizer in lists": ("tokenizer/tokenizer.json", b'{"model":' + DEEP.encode()),
    "a tokenizer that is no text": ("tokenizer/tokenizer.json", b"\x00" * 100),
    "an adapter by its config": ("text_encoder/adapter_config.json", b"{}"),
    "an adapter by its weights": ("unet/adapter_model.bin", b"\x80\x04."),
    "an adapter in safetensors": ("vae/adapter_model.safetensors", b"evil"),
    "code beside the weights": ("unet/evil.py", b"import os"),
    "code of the pipeline": ("pipeline.py", b"import os"),
    "a library beside the weights": ("text_encoder/kernel.so", b"\x7fELF"),
    "a vocabulary of another kind": ("tokenizer/tokenizer.model", b"evil"),
    "another vocabulary": ("tokenizer/tekken.json", b"{}"),
    "a template in a file": ("tokenizer/chat_template.jinja", b"{{ evil }}"),
    "added tokens in words": ("tokenizer/added_tokens.json", b'{"<x>": "7"}'),
    "marks in lists": ("tokenizer/special_tokens_map.json", b'{"bos_token": [[]]}'),
    "generation": ("text_encoder/generation_config.json", b'{"auto_map": "evil"}'),
}
for what, (path, data) in CONTENT.items():
    _add(what, content(path, data))


def _index(**changes: Any) -> Damage:
    return lambda folder, _: set_json(folder / "model_index.json", **changes)


_add("index: a class in a list", _index(_class_name=["evil", "Pipeline"]))
_add("index: the unet in code", _index(unet=["evil", "UNet2DConditionModel"]))
_add("index: the encoder in code", _index(text_encoder=["evil", "CLIPTextModel"]))
_add("index: a library of numbers", _index(vae=[5, "AutoencoderKL"]))
_add("index: a component of words", _index(unet="UNet2DConditionModel"))
_add("index: no parts", _index(tokenizer=None, unet=None))
_add("index: zeros in words", _index(force_zeros_for_empty_prompt="false" * 9))
_add("index: a component of nothing", _index(tokenizer=[]))


def _without(*names: str, also: Damage | None = None) -> Damage:
    def damage(folder: Path, secret: Path) -> None:
        for name in names:
            (folder / name).unlink()
        if also is not None:
            also(folder, secret)

    return damage


def _linked(name: str, to: str) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        (folder / name).unlink()
        (folder / name).symlink_to(to)

    return damage


def _piped(name: str) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        os.mkfifo(folder / name)

    return damage


def _foldered(name: str) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        (folder / name).unlink(missing_ok=True)
        (folder / name).mkdir()

    return damage


_add("no tokenizer.json", _without("tokenizer/tokenizer.json"))
_add(
    "a vocabulary without merges",
    _without(
        "tokenizer/tokenizer.json", also=content("tokenizer/vocab.json", b'{"a": 0}')
    ),
)
_add(
    "merges without a vocabulary",
    _without("tokenizer/tokenizer.json", also=content("tokenizer/merges.txt", b"a b")),
)
_add(
    "an encoder without config, an adapter in its place",
    _without(
        "text_encoder/config.json",
        also=lambda folder, _: set_json(
            folder / "text_encoder" / "adapter_config.json",
            base_model_name_or_path="somebody/elsewhere",
            peft_type="LORA",
        ),
    ),
)
for name in (
    *("model_index.json", "unet/config.json", "scheduler/scheduler_config.json"),
    *("tokenizer/tokenizer.json", "tokenizer/vocab.json", "unet/evil.py"),
    *(f"{part}/{file}" for part, file in WEIGHTS.items()),
):
    _add(f"a pipe for {name}", _piped(name))
for name in ("unet/config.json", "tokenizer/tokenizer.json", "vae/evil.py"):
    _add(f"a folder for {name}", _foldered(name))
for name in ("unet/config.json", f"unet/{WEIGHTS['unet']}", "tokenizer/tokenizer.json"):
    _add(f"endless zeros for {name}", _linked(name, "/dev/zero"))
    _add(f"a link of {name} to itself", _linked(name, Path(name).name))


def _body(component: str, change: Callable[[bytes], bytes]) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        file = folder / component / WEIGHTS[component]
        file.write_bytes(change(file.read_bytes()))

    return damage


def _twice(said: dict[str, Any]) -> str:
    text = json.dumps(said)
    name = min(name for name in said if name != "__metadata__")
    return f"{text[:-1]}, {json.dumps(name)}: {json.dumps(said[name])}}}"


BODIES: dict[str, Callable[[bytes], bytes]] = {
    "nothing": lambda _: b"",
    "seven bytes": lambda data: data[:7],
    "a header as long as memory": lambda data: b"\xff" * 8 + data[8:],
    "a header longer than the file": lambda data: b"\x00\x00\x90" + data[3:],
    "a header of nothing": lambda data: b"\x00" * 8 + data[8:],
    "cut in its header": lambda data: data[:200],
    "cut in its numbers": lambda data: data[:-100],
    "more behind its numbers": lambda data: data + b"\x00" * 64,
    "zeros": lambda data: b"\x00" * len(data),
    "a pickle": lambda _: b"\x80\x04cos\nsystem\n(S'true'\ntR.",
}
HEADERS: dict[str, Callable[[dict[str, Any]], object]] = {
    "lists in lists": lambda _: '{"a":' + DEEP + "}",
    "a list": lambda _: "[1]",
    "a name twice": _twice,
    "tensors that overlap": lambda said: first(said, data_offsets=[8, 16]),
    "offsets below zero": lambda said: first(said, data_offsets=[-8, 8]),
    "offsets in words": lambda said: first(said, data_offsets=["0", "8"]),
    "offsets that end before they begin": lambda said: first(said, data_offsets=[9, 1]),
    "one offset": lambda said: first(said, data_offsets=[0]),
    "offsets beyond the file": lambda said: first(said, data_offsets=[0, 2**62]),
    "a shape as large as memory": lambda said: first(said, shape=[2**40, 2**40]),
    "a shape below zero": lambda said: first(said, shape=[-1]),
    "a shape of truth": lambda said: first(said, shape=[True]),
    "a shape of many": lambda said: first(said, shape=[1] * 10_000),
    "a dtype nobody knows": lambda said: first(said, dtype="EVIL"),
    "a dtype of another size": lambda said: first(said, dtype="F64"),
    "notes that are no words": lambda said: said.update(__metadata__={"a": [1]}),
    "a tensor that is a word": lambda said: said.update(evil="evil"),
    "whole numbers for weights": lambda said: first(said, dtype="I16"),
}
for part in ("unet", "text_encoder"):
    for what, change in BODIES.items():
        _add(f"weights of the {part}: {what}", _body(part, change))
    for what, of_header in HEADERS.items():
        _add(f"weights of the {part}: {what}", header(part, of_header))


def _other_shape(folder: Path, _: Path) -> None:
    file = folder / "vae" / WEIGHTS["vae"]
    said, body = header_of(file)
    name = next(n for n, e in said.items() if len(e.get("shape", ())) == 4)
    said[name]["shape"] = said[name]["shape"][::-1]
    put(file, said, body)


def _other_name(folder: Path, _: Path) -> None:
    file = folder / "text_encoder" / WEIGHTS["text_encoder"]
    said, body = header_of(file)
    name = min(n for n in said if n != "__metadata__")
    said["evil"] = said.pop(name)
    put(file, said, body)


def _both_names(folder: Path, _: Path) -> None:
    file = folder / "text_encoder" / WEIGHTS["text_encoder"]
    said, body = header_of(file)
    name = min(n for n in said if n != "__metadata__")
    begin, end = said[name]["data_offsets"]
    again = said[name] | {"data_offsets": [len(body), len(body) + end - begin]}
    put(file, {**said, f"text_model.{name}": again}, body + body[begin:end])


def _many_tensors(folder: Path, _: Path) -> None:
    file = folder / "unet" / WEIGHTS["unet"]
    said, body = header_of(file)
    none = {"dtype": "F16", "shape": [0], "data_offsets": [len(body), len(body)]}
    put(file, {**said, **{f"x{number}": none for number in range(60_000)}}, body)


def _shards(**places: str) -> Damage:
    def damage(folder: Path, _: Path) -> None:
        unet = folder / "unet"
        for name in ("a.safetensors", "b.safetensors"):
            shutil.copy(unet / WEIGHTS["unet"], unet / name)
        (unet / WEIGHTS["unet"]).unlink()
        index = unet / f"{WEIGHTS['unet']}.index.json"
        index.write_text(json.dumps({"weight_map": places}))

    return damage


_add("a weight of another shape", _other_shape)
_add("a weight of another name", _other_name)
_add("a weight by its old name and its new one", _both_names)
_add("sixty thousand tensors", _many_tensors)
_add("shards above the folder", _shards(x="../../secret.safetensors"))
_add("shards that are not there", _shards(x="c.safetensors"))
_add("shards with the same tensors", _shards(x="a.safetensors", y="b.safetensors"))
_add(
    "weights twice",
    content("unet/diffusion_pytorch_model.safetensors.index.json", b"{}"),
)
