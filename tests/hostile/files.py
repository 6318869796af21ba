"""Files that somebody gives to be imported or audited, and means harm with.

Each is written into an empty folder; what comes of it is what was found in it, or an
error in a sentence.
"""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from tests.hostile.damage import config, content, put, set_json
from tests.hostile.folders import BODIES, DEEP, HEADERS

Make = Callable[[Path, Path], Path]
"""Writes something below a folder, given a sound pipeline; gives its path."""

TO_K = "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k"
FILES: dict[str, Make] = {}


def _add(name: str, make: Make) -> None:
    assert name not in FILES, name
    FILES[name] = make


def _lora(folder: Path, **more: torch.Tensor) -> Path:
    path = folder / "lora.safetensors"
    key = f"unet.{TO_K}.lora"
    down, up = torch.ones(2, 32), torch.ones(32, 2)
    pair = {f"{key}.down.weight": down, f"{key}.up.weight": up}
    save_file(pair | more, path)
    return path


def _header(change: Callable[[dict[str, Any]], object]) -> Make:
    def make(folder: Path, _: Path) -> Path:
        path = _lora(folder)
        data = path.read_bytes()
        length = int.from_bytes(data[:8], "little")
        said = json.loads(data[8 : 8 + length])
        new = change(said)
        put(path, new if isinstance(new, str) else said, data[8 + length :])
        return path

    return make


def _body(change: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path, _: Path) -> Path:
        path = _lora(folder)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


for what, of_bytes in BODIES.items():
    _add(f"a LoRA: {what}", _body(of_bytes))
for what, of_header in HEADERS.items():
    _add(f"a LoRA: {what}", _header(of_header))


def _tensors(**tensors: torch.Tensor) -> Make:
    return lambda folder, _: _lora(folder, **tensors)


UP = f"unet.{TO_K}.lora.up.weight"
_add("a LoRA: not a number", _tensors(**{UP: torch.full((32, 2), float("nan"))}))
_add("a LoRA: without an end", _tensors(**{UP: torch.full((32, 2), float("inf"))}))
_add("a LoRA: another shape", _tensors(**{UP: torch.ones(7, 7, 7)}))
_add("a LoRA: no rank", _tensors(**{UP: torch.ones(32, 0)}))
_add("a LoRA: words for names", _tensors(**{"\x1b]0;evil\x07.lora": torch.ones(1)}))
_add("a LoRA: an alpha of many", _tensors(**{f"unet.{TO_K}.alpha": torch.ones(9)}))
_add("a LoRA: whole numbers", _tensors(**{UP: torch.ones(32, 2, dtype=torch.int64)}))
_add("a LoRA: complex numbers", _tensors(**{UP: torch.ones(32, 2) * 1j}))


def _noted(text: str) -> Make:
    def make(folder: Path, _: Path) -> Path:
        path = folder / "lora.safetensors"
        down, up = torch.ones(2, 32), torch.ones(32, 2)
        pair = {f"unet.{TO_K}.lora_A.weight": down, f"unet.{TO_K}.lora_B.weight": up}
        save_file(pair, path, metadata={"lora_adapter_metadata": text})
        return path

    return make


_add("notes: lists in lists", _noted(DEEP))
_add("notes: a list", _noted("[1]"))
_add("notes: an alpha in words", _noted('{"unet.lora_alpha": "evil"}'))
_add("notes: an alpha without end", _noted('{"unet.lora_alpha": 1e999}'))
_add("notes: an alpha of 400 digits", _noted(f'{{"unet.lora_alpha": 1{"0" * 400}}}'))


def _peft(said: bytes) -> Make:
    def make(folder: Path, sound: Path) -> Path:
        shutil.move(_noted("{}")(folder, sound), folder / "adapter_model.safetensors")
        (folder / "adapter_config.json").write_bytes(said)
        return folder

    return make


_add("peft: lists in lists", _peft(DEEP.encode()))
_add("peft: no text", _peft(b"\xff\xfe"))
_add("peft: code", _peft(b'{"lora_alpha": 1, "auto_mapping": {"a": "evil.Model"}}'))
_add("peft: elsewhere", _peft(b'{"lora_alpha": 1, "base_model_name_or_path": "a/b"}'))
_add("peft: as large as memory", _peft(b" " * (33 * 2**20)))
_add("peft: another method", _peft(b'{"peft_type": "EVIL"}'))


def _pipeline(*damages: Callable[[Path, Path], object]) -> Make:
    def make(folder: Path, sound: Path) -> Path:
        path = folder / "tuned"
        shutil.copytree(sound, path)
        for damage in damages:
            damage(path, folder / "secret.json")
        return path

    return make


def _piped(name: str) -> Callable[[Path, Path], None]:
    def damage(folder: Path, _: Path) -> None:
        (folder / name).unlink()
        os.mkfifo(folder / name)

    return damage


UNET = "unet/diffusion_pytorch_model.safetensors"
DAMAGES: dict[str, Callable[[Path, Path], object]] = {
    "an adapter in the encoder": content("text_encoder/adapter_model.safetensors", b""),
    "a pipe for weights": _piped(UNET),
    "a pipe for a config": _piped("unet/config.json"),
    "a pipe for the index": _piped("model_index.json"),
    "a pipe for a tokenizer": _piped("tokenizer/tokenizer.json"),
    "a pickle": content(UNET, b"\x80\x04cos\nsystem\n."),
    "a tokenizer that asks": config("tokenizer", auto_map={"AutoTokenizer": "evil.T"}),
    "a tokenizer in words": config("tokenizer", model_max_length="77"),
    "a tokenizer of lists": content("tokenizer/tokenizer.json", DEEP.encode()),
    "an index in lists": content("model_index.json", DEEP.encode()),
    "a config in lists": content("unet/config.json", DEEP.encode()),
    "a config that is empty": content("unet/config.json", b""),
    "a scheduler in lists": content("scheduler/scheduler_config.json", DEEP.encode()),
    "a network of another kind": config("unet", attention_head_dim=[[["evil"]]]),
    "an index of numbers": lambda folder, _: set_json(
        folder / "model_index.json", unet=5, vae=5, text_encoder=5
    ),
    "code in the index": lambda folder, _: set_json(
        folder / "model_index.json", unet=["evil", "UNet2DConditionModel"]
    ),
}
for what, damage in DAMAGES.items():
    _add(f"a fine-tune: {what}", _pipeline(damage))


def _component(**said: Any) -> Make:
    def make(folder: Path, sound: Path) -> Path:
        path = folder / "of its own"
        shutil.copytree(sound / "unet", path)
        (path / "config.json").write_text(json.dumps(said))
        return path

    return make


_add("a component: architectures of lists", _component(architectures=[[1], {"a": 1}]))
_add("a component: architectures of nothing", _component(architectures=5))
_add("a component: a class of lists", _component(_class_name=[["evil"]]))


def _single(folder: Path, _: Path) -> Path:
    path = folder / "single.safetensors"
    save_file({"model.diffusion_model.evil": torch.ones(1)}, path)
    return path


def _nothing_but_a_pipe(folder: Path, _: Path) -> Path:
    os.mkfifo(folder / "lora.safetensors")
    return folder / "lora.safetensors"


def _endless(folder: Path, _: Path) -> Path:
    (folder / "lora.safetensors").symlink_to("/dev/zero")
    return folder / "lora.safetensors"


def _learnt(folder: Path, _: Path) -> Path:
    path = folder / "learned_embeds.safetensors"
    save_file({"<\x1b[31mevil>": torch.ones(2, 32)}, path)
    return path


_add("a single file of nothing", _single)
_add("a pipe", _nothing_but_a_pipe)
_add("endless zeros", _endless)
_add("a token with an escape", _learnt)
