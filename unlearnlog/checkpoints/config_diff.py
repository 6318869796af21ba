"""Do two configurations build the same network, and add noise in the same way?

Equal weights paint other pictures where a head is of another size or a latent is scaled
by another factor, and shapes do not tell.
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
"""What says nothing of the function that a network computes, or shows in its shapes."""

_OF_NOISE: Final = (
    "prediction_type",
    *("beta_start", "beta_end", "beta_schedule", "trained_betas"),
    *("num_train_timesteps", "rescale_betas_zero_snr"),
)
"""What a scheduler says of training; the rest of it is how somebody likes to paint."""


def unlike_network(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say which of what both say of a network differs; empty for nothing.

    What only one of them says is left alone: another version wrote it, and left out
    what it thought usual.
    """
    names = theirs.keys() & ours.keys() - _OF_NO_WEIGHT
    return _unlike(theirs, ours, (n for n in sorted(names) if not n.startswith("_")))


def unlike_noise(theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> str:
    """Say which of what two schedulers say of training differs; empty for nothing."""
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
