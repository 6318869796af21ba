"""A sanitised copy of a judge's folder for the library's loader.

It has configurations reduced to plain values of the keys that the classes take, the
tokenizer's regular files, and links to weights whose headers were checked.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from transformers import CLIPConfig, CLIPTextConfig, CLIPVisionConfig

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
