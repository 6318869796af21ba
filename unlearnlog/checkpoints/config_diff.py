"""Differences of two configurations that change the function of equal weights.

Equal weights paint other pictures where a head is of another size or a latent is scaled
by another factor, which shapes do not show.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

_OF_NO_WEIGHT: Final = frozenset(
    {
        *("architectures", "model_type", "transformers_version"),
        *("dtype", "torch_dtype", "force_upcast", "upcast_attention"),
        *("dropout", "attention_dropout", "initializer_factor", "initializer_range"),
        *("bos_token_id", "eos_token_id", "pad_token_id", "vocab_size"),
        *("projection_dim", "max_position_embeddings"),
        *("sample_size", "use_cache", "gradient_checkpointing"),
    }
)
"""Keys without effect on the function of a network, or visible in its shapes."""

_OF_NOISE: Final = (
    "prediction_type",
    *("beta_start", "beta_end", "beta_schedule", "trained_betas"),
    *("num_train_timesteps", "rescale_betas_zero_snr"),
)
"""A scheduler's keys of training; the others are settings of sampling."""


def unlike_network(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return the differences in keys that both networks have; empty for none.

    A key of only one of them does not count: another version may leave out defaults.
    The keys of a configuration inside are compared one by one.
    """
    theirs, ours = _flat(theirs), _flat(ours)
    names = (
        name
        for name in sorted(theirs.keys() & ours.keys())
        if not (name.startswith("_") or name.rpartition(".")[2] in _OF_NO_WEIGHT)
    )
    return _unlike(theirs, ours, names)


def _flat(config: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    """Return a configuration with the keys of those inside, joined by dots."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value
    return found


def unlike_noise(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Return the differences of two schedulers in training; empty for none."""
    usual = {"prediction_type": "epsilon"}
    theirs, ours = {**usual, **theirs}, {**usual, **ours}
    return _unlike(theirs, ours, (n for n in _OF_NOISE if n in theirs and n in ours))


def _unlike(
    theirs: Mapping[str, Any], ours: Mapping[str, Any], names: Iterable[str]
) -> str:
    return ", ".join(
        f"{name} is {theirs[name]!r}, the base's {ours[name]!r}"
        for name in names
        if theirs[name] != ours[name]
    )
