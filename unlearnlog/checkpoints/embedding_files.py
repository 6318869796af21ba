"""Files of textual inversion, in the spellings that tools write."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.checkpoint_files import digest_of_files
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError, UsageError
from unlearnlog.models.foreign_file import SafetensorsFile, checked, shown
from unlearnlog.models.weight_file_names import SUFFIX
from unlearnlog.models.weight_files import PICKLES

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.checkpoints.added_tokens import Added
    from unlearnlog.core.digest import Digest

_BY_ENCODER: Final = (
    ("clip_l", "clip_g"),
    ("text_encoders_0", "text_encoders_1"),
)
"""Keys by text encoder: of kohya's trainer and A1111, of diffusers' pivotal tuning."""

_UNNAMED: Final = re.compile(r"emb_params|string_to_param[./].+")
"""The key of a token that has the file's name: A1111's, as a file and flattened."""

_N_SHOWN: Final = 3


@dataclass(frozen=True)
class Embeddings:
    """Tokens of files of textual inversion.

    Attributes:
        tokens: Vectors of each token, by its name in prompts.
        sha256: Digest of each file.
    """

    tokens: Added
    sha256: tuple[Digest, ...]


NO_EMBEDDINGS: Final = Embeddings({}, ())


def embeddings_of(paths: Sequence[Path], widths: Sequence[int]) -> Embeddings:
    """Read files of textual inversion.

    Args:
        paths: The files.
        widths: Width of the vectors of each text encoder of the base.

    Raises:
        ModelError: A file is a pickle, holds no vectors, or those of another model.
        DeltaError: A file is damaged.
        UsageError: Two files have the same token.
    """
    found: dict[str, tuple[torch.Tensor, ...]] = {}
    digests = []
    for path in paths:
        file = _opened(path)
        tensors = {key: checked(key, tensor) for key, tensor in file.items()}
        tokens = embedding_in(tensors, file.path.stem, widths)
        if not tokens:
            raise _unlike(path, tensors, widths)
        for token, vectors in tokens.items():
            if token in found:
                raise UsageError(
                    f"'{path}' holds the token '{token}', which another file has too",
                    fix="give one of them at a time, or rename the file",
                )
            found[token] = vectors
        digests.append(digest_of_files([file]))
    return Embeddings(found, tuple(digests))


def embedding_in(
    file: Mapping[str, torch.Tensor], stem: str, widths: Sequence[int]
) -> dict[str, tuple[torch.Tensor, ...]]:
    """Return the tokens of a file of textual inversion; empty for any other file.

    Such a file has vectors by the name of their token; or by text encoder, of one token
    with the file's name.

    Args:
        file: Tensors by key.
        stem: The file's name without its suffix.
        widths: Width of the vectors of each text encoder.

    Source:
        The keys are those that diffusers' ``load_textual_inversion`` takes, and those
        that trainers for SDXL write.
    """
    found: dict[str, tuple[torch.Tensor, ...]] = {}
    for keys in _BY_ENCODER:
        if {*keys[: len(widths)]} == {*file}:
            found = {f"<{stem}>": tuple(file[key] for key in keys[: len(widths)])}
    if not found and len(widths) == 1:
        unnamed = [key for key in file if _UNNAMED.fullmatch(key)]
        found = {key: (file[key],) for key in file if key not in unnamed}
        if len(unnamed) == len(file) == 1:
            found = {f"<{stem}>": (file[unnamed[0]],)}
    rows = {token: tuple(map(torch.atleast_2d, each)) for token, each in found.items()}
    return rows if all(_fits(each, widths) for each in rows.values()) else {}


def _fits(vectors: Sequence[torch.Tensor], widths: Sequence[int]) -> bool:
    """Return whether there is a vector of the right width for each text encoder."""
    shapes = [each.shape for each in vectors]
    return [shape[1:] for shape in shapes] == [torch.Size([w]) for w in widths] and all(
        shape[0] > 0 for shape in shapes
    )


def _opened(path: Path) -> SafetensorsFile:
    place = expanded(path).absolute()
    if place.suffix.lower() in PICKLES and place.is_file():
        name = place.stem
        raise ModelError(
            f"'{path}' is a pickle, which can run code when it is loaded, so it was "
            "not opened",
            fix="if you trust it, save its vectors: safetensors.torch.save_file("
            "{'emb_params': VECTORS}, "
            f"'{name}{SUFFIX}'), with the VECTORS of its 'string_to_param'",
        )
    return SafetensorsFile.open(place)


def _unlike(
    path: Path, file: Mapping[str, torch.Tensor], widths: Sequence[int]
) -> ModelError:
    listed = ", ".join(_described(file.items()))
    more = f" and {len(file) - _N_SHOWN} more" if len(file) > _N_SHOWN else ""
    read = " and ".join(map(str, widths))
    return ModelError(
        f"'{path}' is no textual inversion for this model, whose tokens are {read} "
        f"wide: it holds {listed or 'nothing'}{more}",
        fix="give a file that was trained on a model of this kind: vectors as "
        "'<token>', 'emb_params', or 'clip_l' and 'clip_g'; a LoRA or a whole model is "
        "audited itself: unlearnlog audit MODEL",
    )


def _described(items: Iterable[tuple[str, torch.Tensor]]) -> Iterator[str]:
    for number, (key, tensor) in enumerate(items):
        if number < _N_SHOWN:
            yield f"{shown(key)} {list(tensor.shape)}"
