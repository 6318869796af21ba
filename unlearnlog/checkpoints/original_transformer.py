"""Whole transformers in the original format, as single files hold them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

from unlearnlog.models.original_modules import original_places

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.checkpoints.fused_factors import Fusing

_OWN: Final = "transformer."
_PREFIXES: Final = ("model.diffusion_model.", "diffusion_model.", "")
_LEAVES: Final[Mapping[str, tuple[str, ...]]] = {
    "weight": ("weight", "scale"),
    "bias": ("bias",),
}
_LOOSE: Final[Mapping[str, tuple[str, ...]]] = {
    "pos_embed.pos_embed": ("pos_embed", "positional_encoding"),
}
"""Tensors of no module, by their name in diffusers."""

_OTHERS: Final = ("vae.", "first_stage_model.", "text_encoders.", "conditioner.")
"""Beginnings of the keys of other networks in a file for ComfyUI."""

_UNUSED: Final = ("norm_final.weight",)
"""Tensors that the original has and never uses."""


def prefix_of(keys: Iterable[str], fusing: Fusing) -> str | None:
    """Return the prefix of a transformer's keys in the original format.

    Args:
        keys: All keys of a file.
        fusing: The original modules of the base's family.

    Returns:
        None where the file is not of that format.
    """
    olds = {old.partition(".#")[0].split(".")[0] for old in fusing.table}
    news = {name.split(".")[1] for name in fusing.shapes if name.startswith(_OWN)}
    keys = list(keys)
    for prefix in _PREFIXES:
        first = {
            k.removeprefix(prefix).split(".")[0] for k in keys if k.startswith(prefix)
        }
        if first & (olds - news) or _is_fused(keys, prefix, fusing):
            return prefix
    return None


def transformer_of(
    file: Mapping[str, Tensor], prefix: str, fusing: Fusing
) -> dict[str, Tensor]:
    """Return a transformer's tensors by their names in diffusers.

    Keys that belong to no tensor keep their name; those of other networks are left out.

    Args:
        file: Tensors by key.
        prefix: Prefix of the keys, from `prefix_of`.
        fusing: The original modules of the base's family, and the base's shapes.

    Raises:
        ValueError: A fused tensor has another number of rows.
    """
    names = [name for name in fusing.shapes if name.startswith(_OWN)]
    modules = {name.removeprefix(_OWN).rpartition(".")[0] for name in names}
    places = original_places(fusing.table, modules)
    found, used = {}, set()
    for name in names:
        module, _, leaf = name.removeprefix(_OWN).rpartition(".")
        for key in _keys(name, places[module].module, leaf):
            if (whole := file.get(prefix + key)) is not None:
                used.add(prefix + key)
                found[name.removeprefix(_OWN)] = (
                    whole
                    if key in _loose(name)
                    else fusing.rows(places[module], name, whole)
                )
                break
    rest = (key for key in file if key not in used and not is_of_another(key))
    unread = {
        key.removeprefix(prefix): file[key]
        for key in rest
        if key.removeprefix(prefix) not in _UNUSED
    }
    return {**found, **unread}


def is_of_another(key: str) -> bool:
    """Return whether a key is that of another network than the transformer."""
    return key.startswith(_OTHERS)


def _is_fused(keys: Iterable[str], prefix: str, fusing: Fusing) -> bool:
    """Return whether a key is that of a module that is fused in the original."""
    fused = {
        old.rpartition(".")[2] for old, new in fusing.table.items() if len(new) > 1
    }
    return any(
        key.startswith(prefix) and key.split(".")[-2:-1] and key.split(".")[-2] in fused
        for key in keys
    )


def _keys(name: str, module: str, leaf: str) -> Iterator[str]:
    """Yield the possible keys of a tensor in the original format."""
    yield from _loose(name)
    for each in _LEAVES.get(leaf, (leaf,)):
        yield f"{module}.{each}" if module else each


def _loose(name: str) -> tuple[str, ...]:
    return _LOOSE.get(name.removeprefix(_OWN), ())
