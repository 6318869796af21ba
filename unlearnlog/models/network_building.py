"""Networks built from a plain configuration, with tensors of checked files.

No library's loader reads the folder, since it would follow references in a
configuration. The network is first built without memory for its numbers, so that a
configuration of another network than the file's costs nothing. Where it has numbers
that are in no file, such as the angles of rotary positions, it is then built once more
with memory for these only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import torch
from accelerate import init_empty_weights

from unlearnlog.core.delta import tensor_record
from unlearnlog.errors import ModelError, UnlearnlogError
from unlearnlog.models.foreign_file import FLOATS, QUANTISED
from unlearnlog.models.hub import offline
from unlearnlog.models.network_kinds import kind_of, made, plain, whole
from unlearnlog.models.overrides import inner_name
from unlearnlog.models.plain_configs import check_depth
from unlearnlog.models.stored_weights import read

if TYPE_CHECKING:
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.digest import TensorRecord
    from unlearnlog.models.pipeline_folder import PipelineFolder
    from unlearnlog.models.stored_weights import StoredWeights
    from unlearnlog.models.tensor_file import Stamp

Untyped: TypeAlias = Any
"""An object of diffusers or transformers; they leave most of their methods untyped."""

_MOST_TENSORS: Final = 20_000
"""Largest number of tensors of one component; the UNet of an SDXL has 1,680."""

_POSITIONS: Final = "position_ids"
"""A text encoder's buffer that counts from 0, and is in no file."""

_MOST_COMPUTED: Final = 2**30
"""Bytes of numbers that are in no file, at most; a large model has some megabytes."""

_ANOTHERS: Final = "its config.json is another model's: copy or download both again"
_PANICS: Final = "pyo3_runtime"
"""Module of the errors for panics in libraries written in Rust."""


@dataclass(frozen=True)
class BuiltNetwork:
    """A network with its weights.

    Attributes:
        network: The network.
        records: Dtype, shape and digest of every tensor of its files, by full name.
        kept: The tensors that were asked for, as they are on disk.
        stamps: Stamps of its files before they were read.
    """

    network: Untyped
    records: Mapping[str, TensorRecord]
    kept: Weights
    stamps: Mapping[Any, Stamp]


def built(
    folder: PipelineFolder,
    component: str,
    *,
    dtype: torch.dtype = torch.float32,
    keep: Callable[[str], object] = lambda _: False,
) -> BuiltNetwork:
    """Return one network of a pipeline with its weights, frozen.

    Of a folder that was loaded before, only changed files are checked again.

    Args:
        folder: The pipeline.
        component: The component's name.
        dtype: Dtype of the loaded weights.
        keep: Returns whether to keep the tensor of a full name as it is on disk.

    Raises:
        ModelError: Its files do not fit each other, or are damaged.
    """
    stored = folder.stored(component)
    stamps = {path: file.stamp for path, file in stored.files.items()}
    network = without_numbers(folder, component, len(stored))
    own = network.state_dict()
    names = _names(folder, component, stored, own, _tied(network))
    network = _with_computed(folder, component, network, own.keys())
    records, kept, state = {}, {}, {}
    for name, (file, inner) in stored.places.items():
        if folder.seen is None:
            tensor = read(file, inner)
            records[name] = tensor_record(tensor)
        else:
            tensor = stored[name]
        if keep(name):
            kept[name] = tensor
        if (target := names.get(name)) is not None:
            if own[target].is_floating_point():  # counters of batches are not
                _check_is_weight(name, tensor, folder)
                tensor = tensor.to(dtype)
            state[target] = tensor
    _fill(folder, component, network, state)
    network.eval().requires_grad_(False)
    return BuiltNetwork(network, records, kept, stamps)


def _fill(
    folder: PipelineFolder,
    component: str,
    network: Untyped,
    state: dict[str, torch.Tensor],
) -> None:
    """Put tensors into a network; of two that are one, either may be in the file."""
    tied = _tied(network)
    for other, source in tied.items():
        if source in state:
            state.setdefault(other, state[source])
        else:
            state[source] = state[other]
    with told_in(folder, component):
        network.load_state_dict(state, strict=True, assign=True)
        if tied:
            network.tie_weights()


def without_numbers(folder: PipelineFolder, component: str, n_tensors: int) -> Untyped:
    """Return a network without memory for its weights, on the meta device.

    Raises:
        ModelError: Its configuration is not valid.
    """
    file = folder.path / component / "config.json"
    kind = kind_of(folder.index[component])
    if n_tensors > _MOST_TENSORS:
        raise ModelError(
            f"the weights of '{file.parent}' are {n_tensors} tensors, and no "
            f"{kind.__name__} has more than {_MOST_TENSORS}",
            fix="copy or download the model again",
        )
    with told_in(folder, component):
        config = plain(kind, folder.config(component), file=file)
        check_depth(
            whole(kind, folder.config(component), file=file), n_tensors, file=file
        )
        with torch.device("meta"):
            return made(kind, config)


def _with_computed(
    folder: PipelineFolder, component: str, network: Untyped, stored: Iterable[str]
) -> Untyped:
    """Return a network with its numbers that are in no file, and without others.

    Args:
        folder: The pipeline.
        component: The component's name.
        network: The network without numbers.
        stored: Names of its tensors that are in files.

    Raises:
        ModelError: They take more memory than those of any known model.
    """
    if folder.family.network == "unet":
        _count_positions(network)
        return network
    known = {*stored}
    n_bytes = sum(b.nbytes for name, b in network.named_buffers() if name not in known)
    if n_bytes > _MOST_COMPUTED:
        raise ModelError(
            f"the {component} of '{folder.path}' has {n_bytes / 2**30:.1f} GB of "
            "numbers that are in no file",
            fix=_ANOTHERS,
        )
    kind = kind_of(folder.index[component])
    file = folder.path / component / "config.json"
    config = plain(kind, folder.config(component), file=file)
    with told_in(folder, component), init_empty_weights(include_buffers=False):
        return made(kind, config)


def _tied(network: Untyped) -> Mapping[str, str]:
    """Return the names of tensors that are another one, with the other's name."""
    found: Mapping[str, str] = getattr(network, "all_tied_weights_keys", {})
    return found


def _names(
    folder: PipelineFolder,
    component: str,
    stored: StoredWeights,
    own: Mapping[str, torch.Tensor],
    tied: Mapping[str, str],
) -> dict[str, str]:
    """Return the network's name of each tensor, without tensors that it does not have.

    Raises:
        ModelError: A weight is missing, is there twice, or has another shape.
    """
    shapes = {component: {name: tensor.shape for name, tensor in own.items()}}
    found: dict[str, str] = {}
    taken: dict[str, str] = {}
    for name, (file, inner) in stored.places.items():
        target = inner_name(name, shapes)[1]
        if target not in own:
            continue
        if target in taken:
            raise ModelError(
                f"'{folder.path / component}' holds {target} twice, as "
                f"{taken[target]!r} and as {name!r}",
                fix="copy or download the model again",
            )
        shape = list(file.places[inner].shape)
        if shape != list(own[target].shape):
            raise ModelError(
                f"cannot load the {component} of '{folder.path}': {target} is {shape}, "
                f"and by its config.json {list(own[target].shape)}",
                fix=_ANOTHERS,
            )
        found[name], taken[target] = target, name
    there = {*taken}
    for pair in tied.items():
        there |= {*pair} if there & {*pair} else set()
    missing = sorted(own.keys() - there)
    if missing:
        raise ModelError(
            f"'{folder.path / component}' lacks {len(missing)} of its weights, the "
            f"first is {missing[0]}",
            fix=_ANOTHERS,
        )
    return found


def _check_is_weight(name: str, tensor: torch.Tensor, folder: PipelineFolder) -> None:
    if tensor.dtype not in FLOATS - QUANTISED:
        kind = str(tensor.dtype).removeprefix("torch.")
        raise ModelError(
            f"'{name}' of '{folder.path}' is stored as {kind}: its weights are "
            "quantised",
            fix="save the pipeline in float32, bfloat16 or float16",
        )


def _count_positions(network: Untyped) -> None:
    """Fill in the buffers that are in no file.

    Raises:
        ModelError: There is such a buffer of an unknown name.
    """
    for module in network.modules():
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta and name == _POSITIONS:
                counted = torch.arange(buffer.shape[-1]).expand(buffer.shape)
                module.register_buffer(name, counted, persistent=False)
            elif buffer.is_meta:
                raise ModelError(
                    f"a {type(network).__name__} of this kind has numbers that are in "
                    f"no file: {name}",
                    fix="use a model of Stable Diffusion 1, 2 or XL",
                )


@contextmanager
def told_in(folder: PipelineFolder, component: str) -> Iterator[None]:
    """Turn any error of a library on a damaged component into a `ModelError`.

    Network requests are off meanwhile.
    """
    place = f"cannot load the {component} of '{folder.path}'"
    fix = f"its files do not fit each other: copy '{component}' there again"
    with told(place, fix):
        yield


@contextmanager
def told(what: str, fix: str) -> Iterator[None]:
    """Turn any error of a library on bad input into a `ModelError`.

    Network requests are off meanwhile.

    Args:
        what: The operation that fails.
        fix: The fix.

    Raises:
        ModelError: The library failed; has the first line of its message.
    """
    try:
        with offline():
            yield
    except (UnlearnlogError, MemoryError):
        raise
    except BaseException as error:
        if not isinstance(error, Exception) and type(error).__module__ != _PANICS:
            raise
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise ModelError(f"{what}: {reason}", fix=fix) from error
