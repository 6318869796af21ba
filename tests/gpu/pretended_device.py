"""A device that torch takes for another one than the CPU, and that computes on it.

A tensor there holds one on the CPU. An operation on tensors of both places is refused,
as on a GPU; all others compute on the CPU, so there are numbers to compare. (Torch's
fake tensors have no numbers, so no code that looks at one runs with them, and a build
of torch without CUDA has no gradients for them on ``cuda``.)

It goes by the name of ``meta:1``, of which torch has none: so there is no driver to
load, and streams and gradients need none.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any, Self

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta", 1)
CPU = torch.device("cpu")
aten = torch.ops.aten
_MAY_MIX = {aten.copy_.default, aten._to_copy.default, aten.index.Tensor}
"""Operations that a GPU accepts with tensors of the CPU: copies, and row numbers."""


class Placed(torch.Tensor):
    """A tensor on the pretended device.

    Attributes:
        held: The same tensor on the CPU.
    """

    held: torch.Tensor

    @staticmethod
    def __new__(cls, inner: torch.Tensor) -> Placed:
        made: Placed = torch.Tensor._make_wrapper_subclass(
            cls,
            inner.shape,
            strides=inner.stride(),
            storage_offset=inner.storage_offset(),
            dtype=inner.dtype,
            device=DEVICE,
        )
        made.held = inner
        return made

    def __repr__(self, *, tensor_contents: Any = None) -> str:  # type: ignore[override]
        del tensor_contents
        return f"Placed({self.held!r})"

    def __tensor_flatten__(self) -> tuple[list[str], None]:
        """Return the attributes with tensors: so a module replaces it as a whole."""
        return ["held"], None

    @staticmethod
    def __tensor_unflatten__(parts: dict[str, torch.Tensor], *_: Any) -> Placed:
        return Placed(parts["held"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):  # type: ignore[override]
        return computed(func, args, kwargs or {})


class Pretended(TorchDispatchMode):
    """The time in which there is such a device."""

    def __enter__(self) -> Self:
        """Have numbers made on the CPU and then moved, and no inference mode.

        Torch has no views of such tensors in inference mode.
        """
        self.before = torch._C._only_lift_cpu_tensors(), torch.inference_mode
        torch._C._set_only_lift_cpu_tensors(True)
        torch.inference_mode = _plain_mode  # type: ignore[assignment, misc]
        super().__enter__()
        return self

    def __exit__(self, *fault: Any) -> None:
        super().__exit__(*fault)
        lifts, torch.inference_mode = self.before  # type: ignore[misc]
        torch._C._set_only_lift_cpu_tensors(lifts)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return computed(func, args, kwargs or {})


def _plain_mode(mode: bool = True) -> AbstractContextManager[None]:
    return torch.no_grad() if mode else nullcontext()


def computed(func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation, on the device that it belongs to."""
    given = tree_leaves((args, kwargs))
    placed = [each for each in given if isinstance(each, Placed)]
    goal = kwargs.get("device")
    is_here = bool(placed) if goal is None else goal == DEVICE
    if not placed and not is_here:
        return func(*args, **kwargs)
    if placed and func not in _MAY_MIX:
        refuse_others(func, given)
    made = func(*tree_map(_inside, args), **tree_map(_inside, kwargs))
    if not is_here:
        return made
    known = {id(each.held): each for each in placed}

    def outside(value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or isinstance(value, Placed):
            return value
        return known[id(value)] if id(value) in known else Placed(value)

    return tree_map(outside, made)


def refuse_others(func: Any, given: list[Any]) -> None:
    """Refuse tensors of the CPU, but for single numbers, as a GPU does."""
    for each in given:
        is_elsewhere = isinstance(each, torch.Tensor) and not isinstance(each, Placed)
        if is_elsewhere and each.dim():
            message = f"{func}: expected all tensors on {DEVICE}, found {each.device}"
            raise RuntimeError(message)


def _inside(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return value.held if isinstance(value, Placed) else value
    return CPU if value == DEVICE else value
