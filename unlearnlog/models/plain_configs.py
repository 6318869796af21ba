"""Sanitising of configurations from untrusted folders.

Libraries act on undocumented keys: the name of another model, of a kernel on the hub,
of a class in a file. They only get plain values of the keys that the class itself
takes; other keys are left out, and those that would load something are refused.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from unlearnlog.errors import ModelError

Config = Mapping[str, Any]

_KERNELS: Final = "take it out: attention is computed by torch's own kernels"
_CODE: Final = "take it out; if the model needs it, unlearnlog cannot read that model"
_ACTED_ON: Final[Mapping[str, tuple[str, str]]] = {
    "quantization_config": (
        "its weights are quantised",
        "save the pipeline in float32, bfloat16 or float16, not quantised",
    ),
    "base_model_name_or_path": (
        "it is an adapter's, whose weights are elsewhere",
        "merge the adapter into the model, and save that",
    ),
    "peft_type": ("it is an adapter's", "merge the adapter into the model"),
    "attn_implementation": ("it would load kernels from elsewhere", _KERNELS),
    "_attn_implementation": ("it would load kernels from elsewhere", _KERNELS),
    "_attn_implementation_internal": ("it would load kernels from elsewhere", _KERNELS),
    "_experts_implementation": ("it would load kernels from elsewhere", _KERNELS),
    "experts_implementation": ("it would load kernels from elsewhere", _KERNELS),
    "auto_map": ("it would run code that comes with the model", _CODE),
    "trust_remote_code": ("it would run code that comes with the model", _CODE),
    "custom_pipeline": ("it would run code that comes with the model", _CODE),
    "custom_pipelines": ("it would run code that comes with the model", _CODE),
}
"""Keys that a library would act upon, with the reason and the fix."""

_OWN_ATTENTION: Final = (None, "eager", "sdpa")
_WORD: Final = re.compile(r"[\w+-]{0,64}(\.[\w+-]{1,64}){0,3}")
_MOST_VALUES: Final = 64
_MOST_NESTED: Final = 2
_LARGEST: Final = 1_000_000
"""Upper bound on the sizes in a configuration of a Stable Diffusion."""

_LONGEST_SHOWN: Final = 80

_LIMITS: Final[Mapping[str, int]] = {
    "num_hidden_layers": 256,
    "num_layers": 256,
    "num_single_layers": 256,
    "n_layers": 256,
    "depth": 256,
    "pos_embed_max_size": 1024,
    "layers_per_block": 32,
    "transformer_layers_per_block": 64,
    "reverse_transformer_layers_per_block": 64,
    "block_out_channels": 65_536,
    "down_block_types": 16,
    "up_block_types": 16,
    "sample_size": 1024,
    "image_size": 4096,
    "patch_size": 4096,
    "max_position_embeddings": 4096,
    "num_train_timesteps": 100_000,
    "solver_order": 3,
}
"""Upper bounds on values that cost time or memory before the weights are compared."""

_NO_LIMITS: Final[Mapping[str, int]] = MappingProxyType({})

_LAYERS: Final = ("layers_per_block", "transformer_layers_per_block")
_COUNTS: Final = (
    *("num_hidden_layers", "num_layers", "num_single_layers", "n_layers", "depth"),
    *("num_refiner_layers", "n_refiner_layers", "num_mmdit_layers"),
    *("num_single_dit_layers", "approximator_layers"),
)
"""Keys with a number of layers."""

_ONE_OR_EACH: Final = frozenset(
    {
        *("layers_per_block", "transformer_layers_per_block", "attention_head_dim"),
        *("cross_attention_dim", "only_cross_attention", "num_attention_heads"),
        *("eos_token_id", "sample_size", "image_size", "patch_size"),
        *("encoder_block_types", "decoder_block_types", "decoder_norm_types"),
        *("decoder_act_fns", "bos_token_id", "pad_token_id"),
        *("encoder_layers_per_block", "decoder_layers_per_block"),
    }
)
"""Keys with one value, or one for each block."""

_SIDES: Final = ("sample_size", "image_size", "patch_size")
"""Keys with one length, or a height and a width."""

_TYPICAL: Final[Mapping[str, Any]] = {"sample_size": 64, "trained_betas": (0.1,)}
"""Typical values of keys whose default is None."""

_LONG: Final[Mapping[str, int]] = {"trained_betas": 100_000}
"""Lengths of lists that may be long."""


def cleaned(
    content: Config,
    usual: Config,
    *,
    file: object,
    limits: Mapping[str, int] = _NO_LIMITS,
) -> dict[str, Any]:
    """Return the plain values of the keys that a class takes.

    Args:
        content: The content of a file.
        usual: The class's keys with their defaults.
        file: The file, for messages.
        limits: Upper bounds that differ from those of a Stable Diffusion.

    Raises:
        ModelError: A key would load something, or a value is not valid.
    """
    check_asks_for_nothing(content, file=file)
    kept = {key: content[key] for key in sorted(usual) if key in content}
    for key, value in kept.items():
        typical = _TYPICAL.get(key, usual[key])
        most = limits.get(key, _LIMITS.get(key, _LARGEST))
        if why := _unfit(key, value, most) or _of_another_kind(key, value, typical):
            raise ModelError(
                f"{key} is {_shown(value)} in '{file}': {why}",
                fix="the file is damaged or made up: copy or download it again",
            )
    return kept


def check_asks_for_nothing(content: Config, *, file: object) -> None:
    """Refuse a key that a library would act upon.

    Raises:
        ModelError: There is such a key.
    """
    for key, (why, fix) in _ACTED_ON.items():
        value = content.get(key)
        own = "attn" in key and value in _OWN_ATTENTION
        if value not in (None, False, "", [], {}) and not own:
            raise ModelError(f"'{file}' sets {key}, {_shown(value)}: {why}", fix=fix)


def check_depth(config: Config, n_tensors: int, *, file: object) -> None:
    """Refuse a network of more layers than its file has tensors.

    Raises:
        ModelError: It has more.
    """
    n_layers = max(map(_count_of, (config, *_inner(config))))
    if blocks := config.get("block_out_channels"):
        counts = [max(_numbers(config.get(key, 1)), default=1) for key in _LAYERS]
        n_layers = math.prod([len(blocks), *counts])
    if n_layers > n_tensors:
        raise ModelError(
            f"'{file}' describes a network of {n_layers} layers, and its weights are "
            f"{n_tensors} tensors",
            fix="its config.json is another model's: copy or download both again",
        )


def _inner(config: Config) -> list[Config]:
    """Return the nested configurations."""
    return [value for value in config.values() if isinstance(value, Mapping)]


def _count_of(config: Config) -> int:
    """Return the largest number of layers that a configuration names."""
    return max(int(config.get(key) or 0) for key in _COUNTS)


def taken_by(kind: type) -> dict[str, Any]:
    """Return the keys that a class of diffusers takes, with their defaults."""
    parameters = inspect.signature(kind.__init__).parameters.values()  # type: ignore[misc]
    plain = (p for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD)
    return {
        p.name: None if p.default is p.empty else p.default
        for p in plain
        if p.name != "self"
    }


def _unfit(key: str, value: object, largest: int) -> str:
    """Return why a value is not valid; empty where it may be."""
    if isinstance(value, list):
        if len(value) > _LONG.get(key, _MOST_VALUES) or _is_nested(value, _MOST_NESTED):
            return "that is too much"
        if key in _SIDES and (len(value) != len("hw") or _is_nested(value, 1)):
            return "that is no height and width"
        return next(filter(None, (_unfit(key, each, largest) for each in value)), "")
    if isinstance(value, str):
        return "" if _WORD.fullmatch(value) else "that is no word of a configuration"
    if value is None or isinstance(value, bool):
        return ""
    if not isinstance(value, int | float):
        return "that is no plain value"
    return _beyond(key, value, largest)


def _of_another_kind(key: str, value: object, usual: object) -> str:
    """Return why a value has another type than the default; empty where it has not."""
    is_one = None in (value, usual) or key in _ONE_OR_EACH
    if not is_one and isinstance(value, list) != isinstance(usual, list | tuple):
        return "that is no list" if isinstance(usual, tuple) else "that is a list"
    usually = {type(each) is str for each in _leaves(usual)}
    kinds = {type(each) is str for each in _leaves(value)}
    if len(usually) == 1 and kinds - usually:
        return "that is no word" if True in usually else "that is no number"
    return ""


def _leaves(value: object) -> list[object]:
    """Return the value, or the values in its nested lists; empty for None."""
    if isinstance(value, list | tuple):
        return [leaf for each in value for leaf in _leaves(each)]
    return [] if value is None else [value]


def _beyond(key: str, value: float, largest: int) -> str:
    """Return which limit a number breaks; empty for none."""
    if math.isnan(value):
        return "that is no number"
    if math.isfinite(value) and abs(value) > largest:
        return f"the most is {largest}"
    if key in _LIMITS and value <= 0:
        return "the least is 1"
    return ""


def _is_nested(value: object, most: int) -> bool:
    """Return whether lists are nested more than ``most`` deep."""
    if not isinstance(value, list):
        return False
    return most <= 0 or any(_is_nested(each, most - 1) for each in value)


def _numbers(value: object) -> list[int]:
    """Return the whole numbers of a value, or of its lists."""
    return [each for each in _leaves(value) if isinstance(each, int)]


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except RecursionError:
        return "lists in lists"
    if len(text) > _LONGEST_SHOWN:
        text = f"{text[: _LONGEST_SHOWN - 3]}..."
    return text
