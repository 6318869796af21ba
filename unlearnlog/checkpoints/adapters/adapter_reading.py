"""Reading of adapters: from the tensors of a file to the change of each weight."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from unlearnlog.checkpoints.adapters.adapter_parts import (
    AdapterParts,
    Change,
    wrong_tensor,
)
from unlearnlog.checkpoints.adapters.adapter_stems import AdapterTarget, targets
from unlearnlog.checkpoints.adapters.adapter_table import (
    ENDS,
    MAGNITUDES,
    OF_BIASES,
    AdapterKind,
    kinds_of,
)
from unlearnlog.checkpoints.adapters.dora import with_magnitude
from unlearnlog.checkpoints.adapters.vera import OF_SHARED, shared_part
from unlearnlog.checkpoints.file_kinds import listed, resembling
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.lora_spellings import TRANSFORMER
from unlearnlog.errors import DeltaError
from unlearnlog.models.foreign_file import checked, shown
from unlearnlog.models.original_modules import OriginalPlace

BUNDLED: Final = "bundle_emb."
"""Beginning of the keys of learned tokens that trainers put beside a LoRA."""

_ADAPTER: Final = re.compile(
    r"\.(lora_[AB]|lora_magnitude_vector|oft_R|boft_[Rs]|ia3_l|vera_lambda_[bd])"
    r"\.(?!weight$)([^.]+)(\.weight)?$"
)
"""A key of peft with the name of an adapter."""

_PROJECTIONS: Final = (".attn2.to_k.weight", ".attn2.to_v.weight")


def _unset(name: str) -> Mapping[str, Any]:  # noqa: ARG001 - of any weight
    """Return no settings."""
    return {}


def _as_it_is(name: str, rank: int) -> float:  # noqa: ARG001 - of any weight
    """Return the scale of a product without alpha."""
    return 1.0


@dataclass(frozen=True, eq=False)
class AdaptedModel:
    """The model that an adapter is read for.

    Attributes:
        shapes: Shape of each tensor that may change, by full name.
        before: Returns a tensor before the change, by full name.
        scale: Returns the scale of a weight's product, by full name and rank, where the
            file has no alpha.
        settings: Returns the adapter's settings for a weight, by its full name.
        fusing: Original modules of a transformer, and the sizes of its weights.
    """

    shapes: Mapping[str, torch.Size]
    before: Callable[[str], torch.Tensor]
    scale: Callable[[str, int], float] = field(kw_only=True, default=_as_it_is)
    settings: Callable[[str], Mapping[str, Any]] = field(kw_only=True, default=_unset)
    fusing: Fusing = field(default_factory=Fusing)


@dataclass
class _Group:
    """The parts of an adapter on one module, each with its key."""

    target: AdapterTarget
    keys: dict[str, str] = field(default_factory=dict)
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)

    @property
    def first(self) -> str:
        """The first key."""
        return next(iter(self.keys.values()))


def changes_of(
    tensors: Mapping[str, torch.Tensor], model: AdaptedModel
) -> dict[str, Change]:
    """Return the change of each weight by an adapter, sorted by full name.

    Learned tokens that are bundled with it are left out.

    Args:
        tensors: All tensors of the file, by key.
        model: The model.

    Raises:
        DeltaError: A key belongs to none of these weights, a tensor is missing or has
            another shape, or a number is not valid.
    """
    given = {k: t for k, t in _unnamed(tensors).items() if not k.startswith(BUNDLED)}
    groups = _groups(given, model)
    found: dict[str, Change] = {}
    keys: dict[str, str] = {}
    for group in groups:
        for name, change in _changes(group, model):
            if name in found:
                first = shown(keys[name])
                raise wrong_tensor(group.first, f"changes the same weight as {first}")
            found[name], keys[name] = change, group.first
    return {name: found[name] for name in sorted(found)}


def _unnamed(tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the tensors without the adapter's name in the keys.

    Raises:
        DeltaError: There are adapters of two names.
    """
    named: dict[str, str] = {}
    for key in tensors:
        if match := _ADAPTER.search(key):
            named.setdefault(match[2], key)
    if len(named) > 1:
        first, second, *_ = named.values()
        raise DeltaError(
            f"the file holds more than one adapter: {shown(first)} and {shown(second)}",
            fix="save each adapter by itself, and give one of them",
        )
    return {
        _ADAPTER.sub(lambda m: f".{m[1]}{m[3] or ''}", key): tensor
        for key, tensor in tensors.items()
    }


def _groups(
    tensors: Mapping[str, torch.Tensor], model: AdaptedModel
) -> Iterable[_Group]:
    """Return the parts of each module's adapter.

    Raises:
        DeltaError: A key belongs to no module, or a part is there twice.
    """
    known = targets(model.shapes, model.fusing.table)
    shared = {part: key for key in tensors if (part := shared_part(key))}
    common = {part: _numbers(key, part, tensors[key]) for part, key in shared.items()}
    tensors = {key: t for key, t in tensors.items() if key not in shared.values()}
    places = {key: _place_of(key, known) for key in tensors}
    if unknown := [key for key, place in places.items() if place is None]:
        called = _called(model.shapes)
        like = resembling(tensors)
        raise DeltaError(
            f"{len(unknown)} of {len(tensors)} tensors are no factors of this model's "
            f"{called}: {listed(unknown)}{like and f'; this is {like}'}",
            fix=f"give a LoRA of the {called} of this model only",
        )
    groups: dict[str, _Group] = {}
    for key, place in places.items():
        assert place is not None
        found, part = place
        group = groups.setdefault(_owner(found[0]), _Group(found[0]))
        if part in group.keys:
            first = shown(group.keys[part])
            raise wrong_tensor(key, f"is the same factor as {first}")
        group.keys[part] = key
        group.tensors[part] = _numbers(key, part, tensors[key])
        if part in OF_SHARED:
            group.keys |= shared
            group.tensors |= common
    return groups.values()


def _place_of(
    key: str, known: Mapping[str, list[AdapterTarget]]
) -> tuple[list[AdapterTarget], str] | None:
    """Return the modules and the part that a key stands for; None for no module."""
    ends = sorted((end for end in ENDS if key.endswith(end)), key=len, reverse=True)
    for end in ends:
        if found := known.get(key.removesuffix(end)):
            return found, ENDS[end]
    return None


def _owner(target: AdapterTarget) -> str:
    """Return the name of the module that a group of parts belongs to."""
    place = target.place
    fused = place is not None and len(place.parts) > 1
    return place.module if fused and place else target.name


def _numbers(key: str, part: str, tensor: torch.Tensor) -> torch.Tensor:
    """Return the numbers of a part, float64; an alpha may be a whole number.

    Raises:
        DeltaError: They are no weights, or not finite.
    """
    if part == "alpha" and not tensor.is_complex() and tensor.dtype != torch.bool:
        tensor = tensor.double()
    return checked(key, tensor).double()


def _called(shapes: Iterable[str]) -> str:
    """Return the word for these weights in messages."""
    if all(name.endswith(_PROJECTIONS) for name in shapes):
        return "text projections"
    return "layers"


def _changes(group: _Group, model: AdaptedModel) -> Iterable[tuple[str, Change]]:
    """Yield the change of every tensor that a module's adapter changes."""
    own = {part: t for part, t in group.tensors.items() if part != OF_BIASES}
    if own:
        kind = _kind_of(group, own)
        parts = _parts(group, own, model)
        change = kind.change(parts)
        if any(part in own for part in MAGNITUDES):
            change = with_magnitude(parts, whole(change, parts.shape))
        yield from _split(group, change, model)
        if kind.of_bias is not None:
            yield from _scaled_bias(group, kind.of_bias(parts), model)
    if OF_BIASES in group.tensors:
        yield from _of_bias(group, model)


def _kind_of(group: _Group, own: Mapping[str, torch.Tensor]) -> AdapterKind:
    """Return the method of a group of parts.

    Raises:
        DeltaError: There is none, or there are two.
    """
    kinds = kinds_of(own)
    if not kinds:
        raise wrong_tensor(group.first, "has no partner: its row factor is missing")
    if len(kinds) > 1:
        names = " and of ".join(kind.name for kind in kinds[:2])
        raise wrong_tensor(group.first, f"is in one module with tensors of {names}")
    return kinds[0]


def _parts(
    group: _Group, own: Mapping[str, torch.Tensor], model: AdaptedModel
) -> AdapterParts:
    """Return the parts of a group with the module that they change."""
    place, name = group.target.place, group.target.name
    names = _names(place) if place is not None else [name]
    shape = model.shapes[name]
    if len(names) > 1:
        _check_rows(group, model)
        shape = torch.Size([sum(_shape(n, model)[0] for n in names), *shape[1:]])

    def original() -> torch.Tensor:
        return torch.cat([_rows(n, place, model) for n in names])

    keys = {part: group.keys[part] for part in own}
    return AdapterParts(
        *(shape, own, keys, original),
        lambda rank: model.scale(name, rank),
        name=name,
        settings=model.settings(name),
    )


def _rows(name: str, place: OriginalPlace | None, model: AdaptedModel) -> torch.Tensor:
    """Return a weight before the change, as its original module has it; float64."""
    weight = model.before(name).double()
    if place is None or len(place.parts) > 1:
        return weight
    return model.fusing.rows(place, name, weight)


def _names(place: OriginalPlace) -> list[str]:
    return [f"{TRANSFORMER}.{part}.weight" for part in place.parts]


def _shape(name: str, model: AdaptedModel) -> torch.Size:
    return model.shapes[name] if name in model.shapes else model.fusing.shapes[name]


def _check_rows(group: _Group, model: AdaptedModel) -> None:
    """Refuse a fused column factor with another number of rows than its module.

    Raises:
        DeltaError: It has.
    """
    place, up = group.target.place, group.tensors.get("up")
    if up is not None and place is not None:
        _sliced(group, place, group.target.name, up, model)


def _sliced(
    group: _Group,
    place: OriginalPlace,
    name: str,
    column: torch.Tensor,
    model: AdaptedModel,
) -> torch.Tensor:
    """Return the rows of one weight from those of its original module."""
    try:
        return model.fusing.rows(place, name, column)
    except ValueError as error:
        raise wrong_tensor(group.keys.get("up", group.first), f"has {error}") from None


def _split(
    group: _Group, change: Change, model: AdaptedModel
) -> Iterable[tuple[str, Change]]:
    """Yield the change of each weight in an original module.

    Raises:
        DeltaError: It changes weights that are not asked for.
    """
    place = group.target.place
    if place is None:
        yield group.target.name, _single(change)
        return
    for part, name in zip(place.parts, _names(place), strict=True):
        column = change[0] if isinstance(change, tuple) else change
        rows = _sliced(group, place, name, column, model)
        if name in model.shapes:
            mine = (rows, change[1]) if isinstance(change, tuple) else rows
            yield name, _single(mine)
        elif rows.any():
            key = group.keys.get("up", group.first)
            raise wrong_tensor(key, f"changes {part}, too")


def _single(change: Change) -> Change:
    """Return a change in float32."""
    if isinstance(change, tuple):
        return change[0].float(), change[1].float()
    return change.float()


def _of_bias(group: _Group, model: AdaptedModel) -> Iterable[tuple[str, Change]]:
    """Yield the change of a module's bias.

    Raises:
        DeltaError: The module has none, or it has another size.
    """
    key, tensor = group.keys[OF_BIASES], group.tensors[OF_BIASES].flatten()
    place = group.target.place
    for weight in [group.target.name] if place is None else _names(place):
        name = weight.removesuffix(".weight") + ".bias"
        rows = tensor if place is None else _sliced(group, place, name, tensor, model)
        if name not in model.shapes:
            raise wrong_tensor(key, "is of a module that has no bias in this model")
        if rows.shape != model.shapes[name]:
            sizes = f"is {list(tensor.shape)}, the bias {list(model.shapes[name])}"
            raise wrong_tensor(key, sizes)
        yield name, rows.float()


def _scaled_bias(
    group: _Group, factors: torch.Tensor | None, model: AdaptedModel
) -> Iterable[tuple[str, Change]]:
    """Yield the change of a module's bias by a factor for each output."""
    name = group.target.name.removesuffix(".weight") + ".bias"
    if factors is not None and name in model.shapes:
        yield name, (model.before(name).double() * (factors - 1)).float()


def whole(change: Change, shape: torch.Size) -> torch.Tensor:
    """Return a change as one tensor of the weight's shape."""
    if isinstance(change, tuple):
        return (change[0] @ change[1]).reshape(shape)
    return change
