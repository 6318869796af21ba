"""Units of independent work, named by their content.

A unit fixes what is computed together: the pictures of its batch, in their order. Last
bits depend on that and not on who computes it, so two workers of one kind return the
same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from torch import Tensor

from unlearnlog.core.delta import tensor_digest
from unlearnlog.core.digest import canonical_json, digest_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from unlearnlog.core.delta import Weights
    from unlearnlog.core.digest import Digest
    from unlearnlog.judges.judge import Judge
    from unlearnlog.models.interface import Model

R_co = TypeVar("R_co", covariant=True)

OF_ALL: Final = 100
"""One in so many units is computed twice, on two workers."""

_STATE: Final = "weights"
"""The field that a state's digest stands for."""

JsonLike = str | int | float | bool | list["JsonLike"] | dict[str, "JsonLike"] | None


@dataclass(frozen=True)
class Workbench:
    """What a unit is computed with: the model and the judge.

    Attributes:
        model: The base.
        judge: The judge; None for none.
    """

    model: Model
    judge: Judge | None = None


class WorkUnit(Protocol[R_co]):
    """A frozen dataclass with all inputs of one piece of work but model and judge."""

    @property
    def weights(self) -> Weights | None:
        """Tensors that replace the model's own; None for none."""
        ...

    @property
    def size(self) -> int:
        """The units of progress that it is worth."""
        ...

    def computed(self, bench: Workbench, tell: Callable[[int], None]) -> R_co:
        """Return the result; ``tell`` takes the progress so far, up to ``size``."""
        ...


@dataclass(frozen=True)
class BenchDigests:
    """The digests of what a unit is computed with.

    Attributes:
        state: Digest of the weights.
        judge: The judge's identity; empty for none.
        computed: The model's device and dtype.
    """

    state: Digest
    judge: str
    computed: str


def name_of(unit: WorkUnit[object], on: BenchDigests) -> Digest:
    """Return the digest of a unit's inputs.

    Raises:
        TypeError: A field has a type that has no canonical form.
    """
    return digest_of(canonical_json([_plain(unit), _plain(on)]))


def is_checked(name: Digest) -> bool:
    """Return whether a unit of that name belongs to the fixed hundredth."""
    return int(name[:8], 16) % OF_ALL == 0


def _plain(value: object) -> JsonLike:
    """Return a value as JSON, with digests for tensors and sorted sets."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    if isinstance(value, Tensor):
        return str(tensor_digest(value))
    if is_dataclass(value):
        return [type(value).__name__, dict(_fields(value))]
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, set | frozenset):
        return [*sorted(str(each) for each in value)]
    if isinstance(value, Sequence):
        return [_plain(each) for each in value]
    message = f"no canonical form of a {type(value).__name__} in a unit"
    raise TypeError(message)


def _fields(value: object) -> Iterator[tuple[str, JsonLike]]:
    assert is_dataclass(value)
    for field in fields(value):
        if field.name != _STATE and field.compare:
            yield field.name, _plain(getattr(value, field.name))
