"""A sanitised copy of a judge's folder for the library's loader.

It has configurations reduced to plain values of the keys that the classes take, the
tokenizer's regular files, and links to weights whose headers were checked.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from transformers import (
    CONFIG_MAPPING,
    CLIPConfig,
    CLIPTextConfig,
    CLIPVisionConfig,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES,
)

from unlearnlog.errors import ModelError
from unlearnlog.models.plain_configs import check_asks_for_nothing, check_depth, cleaned
from unlearnlog.models.small_files import json_in, small_files
from unlearnlog.models.stored_weights import opened
from unlearnlog.models.unexpected_files import check_none_in
from unlearnlog.models.weight_files import weights_in

_CONFIG: Final = "config.json"
_PROCESSOR: Final = "preprocessor_config.json"
_PARTS: Final[Mapping[str, type]] = {
    "text_config": CLIPTextConfig,
    "text_config_dict": CLIPTextConfig,
    "vision_config": CLIPVisionConfig,
    "vision_config_dict": CLIPVisionConfig,
}
_DTYPES: Final = ("float32", "float16", "bfloat16")
_SIDES: Final = ("shortest_edge", "longest_edge", "height", "width")
_LARGEST_SIDE: Final = 4096
_SAVE_CLASSIFIER: Final = (
    "save the classifier and its image processor there with save_pretrained"
)
_LONGEST_LABEL: Final = 200
_MOST_LABELS: Final = 100_000
_SIZES: Final = ("size", "crop_size")
_OF_PICTURES: Final[Mapping[str, Any]] = {
    "resample": 3,
    "rescale_factor": 1.0,
    "image_mean": [0.0],
    "image_std": [1.0],
    **dict.fromkeys(
        (
            *("do_resize", "do_center_crop", "do_rescale", "do_normalize"),
            *("do_convert_rgb", "use_square_size"),
        ),
        True,
    ),
}
"""Keys of a processor of pictures, each with a value of its type."""


@contextmanager
def plain_copy(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder with the loadable files of a judge's.

    Raises:
        ModelError: The judge's folder needs other files or code, or is damaged.
    """
    check_none_in(folder)
    weights = weights_in(folder)
    small = small_files(folder, (_CONFIG, _PROCESSOR))
    if _CONFIG not in small or not weights:
        raise ModelError(
            f"the judge '{folder}' has no "
            f"{'model.safetensors' if _CONFIG in small else _CONFIG}",
            fix="save the model and its processor there with save_pretrained",
        )
    n_tensors = sum(len(opened(file)) for file in weights)
    config = _config(json_in(small[_CONFIG], folder / _CONFIG), folder, n_tensors)
    with TemporaryDirectory(prefix="unlearnlog-") as place:
        copy = Path(place)
        (copy / _CONFIG).write_text(json.dumps(config))
        if _PROCESSOR in small:
            content = json_in(small[_PROCESSOR], folder / _PROCESSOR)
            plain = _processor(content, folder / _PROCESSOR)
            (copy / _PROCESSOR).write_text(json.dumps(plain))
        for file in weights:
            (copy / file.name).symlink_to(file.absolute())
        if len(weights) > 1:
            index = "model.safetensors.index.json"
            for name, data in small_files(folder, (index,)).items():
                (copy / name).write_bytes(data)
        yield copy


def _config(content: dict[str, Any], folder: Path, n_tensors: int) -> dict[str, Any]:
    """Return the keys that a CLIP is built from."""
    file = folder / _CONFIG
    own = {k: v for k, v in _usual(CLIPConfig).items() if k not in _PARTS}
    kept: dict[str, Any] = cleaned(content, own, file=file)
    for name, kind in _PARTS.items():
        part = content.get(name)
        if isinstance(part, dict):
            kept[name] = cleaned(part, _usual(kind), file=file)
            check_depth({**_usual(kind), **kept[name]}, n_tensors, file=file)
    for name in ("dtype", "torch_dtype"):
        if content.get(name) in _DTYPES:
            kept[name] = content[name]
    return {**kept, "model_type": "clip", "architectures": ["CLIPModel"]}


@dataclass(frozen=True)
class ClassifierCopy:
    """A sanitised copy of a classifier's folder.

    Attributes:
        folder: Where it is, for as long as the context lasts.
        labels: The name of each output.
    """

    folder: Path
    labels: tuple[str, ...]


@contextmanager
def classifier_copy(folder: Path) -> Iterator[ClassifierCopy]:
    """Yield a temporary folder with the loadable files of an image classifier.

    Raises:
        ModelError: The folder is no classifier of transformers, or is damaged.
    """
    if not folder.is_dir():
        raise ModelError(f"there is no folder '{folder}'", fix=_SAVE_CLASSIFIER)
    check_none_in(folder)
    weights = weights_in(folder)
    small = small_files(folder, (_CONFIG, _PROCESSOR))
    lacking = [name for name in (_CONFIG, _PROCESSOR) if name not in small]
    if lacking or not weights:
        raise ModelError(
            f"the judge '{folder}' has no {[*lacking, 'model.safetensors'][0]}",
            fix=_SAVE_CLASSIFIER,
        )
    content = json_in(small[_CONFIG], folder / _CONFIG)
    n_tensors = sum(len(opened(file)) for file in weights)
    config = _classifier_config(content, folder / _CONFIG, n_tensors)
    processor = json_in(small[_PROCESSOR], folder / _PROCESSOR)
    plain = _processor(processor, folder / _PROCESSOR)
    with TemporaryDirectory(prefix="unlearnlog-") as place:
        copy = Path(place)
        (copy / _CONFIG).write_text(json.dumps(config))
        (copy / _PROCESSOR).write_text(json.dumps(plain))
        for file in weights:
            (copy / file.name).symlink_to(file.absolute())
        if len(weights) > 1:
            index = "model.safetensors.index.json"
            for name, data in small_files(folder, (index,)).items():
                (copy / name).write_bytes(data)
        yield ClassifierCopy(copy, tuple(config["id2label"].values()))


def _classifier_config(
    content: dict[str, Any], file: Path, n_tensors: int
) -> dict[str, Any]:
    """Return the keys that an image classifier of transformers is built from."""
    name = str(content.get("model_type"))
    if name not in MODEL_FOR_IMAGE_CLASSIFICATION_MAPPING_NAMES:
        raise ModelError(
            f"'{file}' is of the type '{name[:80]}', which is no image "
            "classifier of transformers",
            fix=_SAVE_CLASSIFIER,
        )
    usual = _usual(CONFIG_MAPPING[name])
    kept: dict[str, Any] = cleaned(content, usual, file=file)
    check_depth({**usual, **kept}, n_tensors, file=file)
    labels = content.get("id2label")
    if not isinstance(labels, dict) or not labels:
        raise ModelError(f"'{file}' names no labels", fix=_SAVE_CLASSIFIER)
    try:
        named = {int(i): str(label)[:_LONGEST_LABEL] for i, label in labels.items()}
    except ValueError as error:
        raise ModelError(
            f"id2label in '{file}' has a key that is no number", fix=_SAVE_CLASSIFIER
        ) from error
    if sorted(named) != [*range(len(named))] or len(named) > _MOST_LABELS:
        raise ModelError(
            f"id2label in '{file}' has {len(named)} labels that are not counted from 0",
            fix=_SAVE_CLASSIFIER,
        )
    ordered = {i: named[i] for i in sorted(named)}
    back = {label: i for i, label in ordered.items()}
    return {**kept, "model_type": name, "id2label": ordered, "label2id": back}


def _processor(content: dict[str, Any], file: Path) -> dict[str, Any]:
    """Return the keys that decide how pictures are scaled."""
    check_asks_for_nothing(content, file=file)
    kept = cleaned(content, _OF_PICTURES, file=file)
    for name in _SIZES:
        if name in content:
            size = content[name]
            sides = size if isinstance(size, dict) else {"shortest_edge": size}
            if not all(
                side in _SIDES and type(n) is int and 0 < n <= _LARGEST_SIDE
                for side, n in sides.items()
            ):
                raise ModelError(
                    f"{name} is {json.dumps(size)[:80]} in '{file}': no size of a "
                    f"picture up to {_LARGEST_SIDE}",
                    fix="save the model and its processor there with save_pretrained",
                )
            kept[name] = size
    return kept


def _usual(kind: type) -> dict[str, Any]:
    return {name: getattr(kind, name, None) for name in inspect.get_annotations(kind)}
