"""The classes of networks, with the keys of their configurations.

The class names come from the table of families, never from a folder.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import diffusers
import transformers
from transformers import (
    CLIPTextConfig,
    MistralConfig,
    PixtralVisionConfig,
    PreTrainedConfig,
    PreTrainedModel,
)

from unlearnlog.models.plain_configs import (
    check_asks_for_nothing,
    cleaned,
    taken_by,
)

Untyped: TypeAlias = Any
"""A class or an object of diffusers or transformers, which are mostly untyped."""

_NESTED_OF: Final[Mapping[str, Mapping[str, Untyped]]] = {
    "Mistral3Config": {
        "text_config": MistralConfig,
        "vision_config": PixtralVisionConfig,
    },
}
"""Classes of nested configurations where the library reads them from the folder."""

_RENAMED: Final[Mapping[str, str]] = {
    "Transformer2DModel": "PixArtTransformer2DModel",
}
"""Classes that diffusers replaces when it loads a folder that names them."""

_TEXT: Final = "text_config"
_TIES: Final = "tie_word_embeddings"
_TURNS: Final = "rope_parameters"
"""Settings of rotary positions; older files say them with two other keys."""

_OLD_TURNS: Final[Mapping[str, Any]] = {"rope_theta": 10_000.0}
_OLD_SCALING: Final = "rope_scaling"
_SCALING: Final[Mapping[str, Any]] = {
    **{"rope_theta": 1e4, "rope_type": "", "type": "", "factor": 1.0},
    **{"mrope_section": (1,), "original_max_position_embeddings": 1},
    **{"beta_fast": 1.0, "beta_slow": 1.0, "mscale": 1.0, "mscale_all_dim": 1.0},
    **{"attention_factor": 1.0, "low_freq_factor": 1.0, "high_freq_factor": 1.0},
    **{"partial_rotary_factor": 1.0, "llama_4_scaling_beta": 1.0},
}
"""Keys of rotary positions with typical values."""

_LIMITS: Final[Mapping[str, int]] = {
    "max_position_embeddings": 10_000_000,
    "original_max_position_embeddings": 10_000_000,
    "rope_theta": 10**12,
}
"""Upper bounds for networks whose positions are no table."""


def kind_of(name: str) -> Untyped:
    """Return the class of a network of diffusers or transformers."""
    name = _RENAMED.get(name, name)
    return getattr(diffusers, name, None) or getattr(transformers, name)


def is_of_transformers(kind: Untyped) -> bool:
    """Return whether a class is one of transformers, as text encoders are."""
    return issubclass(kind, PreTrainedModel)


def made(kind: Untyped, config: Mapping[str, Any]) -> Untyped:
    """Return a network of a class; its values are those that the library sets first.

    Args:
        kind: The class.
        config: What `plain` returned.
    """
    if not is_of_transformers(kind):
        return kind.from_config(dict(config))
    return kind(_config_of(kind.config_class, config))


def plain(kind: Untyped, content: Mapping[str, Any], *, file: object) -> dict[str, Any]:
    """Return the plain values of the keys that a network's class takes.

    Args:
        kind: The class.
        content: The content of a configuration file.
        file: The file, for messages.

    Raises:
        ModelError: A key would load something, or a value is not valid.
    """
    if not is_of_transformers(kind):
        return cleaned(content, taken_by(kind), file=file)
    return _plain(kind.config_class, content, file)


def whole(kind: Untyped, content: Mapping[str, Any], *, file: object) -> dict[str, Any]:
    """Return the plain values with the class's defaults filled in.

    Raises:
        ModelError: A key would load something, or a value is not valid.
    """
    own = plain(kind, content, file=file)
    if not is_of_transformers(kind):
        return {**taken_by(kind), **own}
    if kind.config_class is CLIPTextConfig:
        return {**_keys_of(CLIPTextConfig), **own}
    return _values_of(_config_of(kind.config_class, own))


def _keys_of(kind: Untyped) -> dict[str, Any]:
    """Return the keys of a configuration's class, with their defaults."""
    return {name: getattr(kind, name) for name in inspect.get_annotations(kind)}


def _nested_of(kind: Untyped) -> Mapping[str, Untyped]:
    return _NESTED_OF.get(kind.__name__, kind.sub_configs)


def _plain(kind: Untyped, content: Mapping[str, Any], file: object) -> dict[str, Any]:
    usual, nested = _keys_of(kind), _nested_of(kind)
    if kind is CLIPTextConfig:
        return cleaned(content, usual, file=file)
    flat = {key: value for key, value in usual.items() if key not in nested}
    has_text = isinstance(content.get(_TEXT), Mapping)
    if _TEXT in nested and not has_text:  # files of before 2025 are not nested
        flat = {**_keys_of(nested[_TEXT]), **flat}
    turns = [key for key in (_TURNS, _OLD_SCALING) if content.get(key)]
    if _TURNS in flat:
        flat = {**flat, **_OLD_TURNS}
        del flat[_TURNS]
    kept = cleaned(content, {**flat, _TIES: False}, file=file, limits=_LIMITS)
    for key in turns:
        kept[key] = _plain_turns(content[key], file)
    for key, each in nested.items():
        if isinstance(content.get(key), Mapping):
            kept[key] = _plain(each, content[key], file)
    return kept


def _plain_turns(content: Any, file: object) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return the settings of rotary positions, without unknown keys."""
    settings = content if isinstance(content, Mapping) else {}
    check_asks_for_nothing(settings, file=file)
    return cleaned(settings, _SCALING, file=file, limits=_LIMITS)


def _config_of(kind: Untyped, config: Mapping[str, Any]) -> Untyped:
    """Return a configuration of transformers."""
    nested = {
        key: _config_of(each, config[key])
        for key, each in _nested_of(kind).items()
        if key in config
    }
    return kind(**{**config, **nested})


def _values_of(config: PreTrainedConfig) -> dict[str, Any]:
    """Return a configuration's values by key, nested ones as mappings."""
    values = {key: getattr(config, key) for key in _keys_of(type(config))}
    return {
        key: _values_of(value) if isinstance(value, PreTrainedConfig) else value
        for key, value in values.items()
    }
