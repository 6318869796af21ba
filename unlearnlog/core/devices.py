"""Devices and dtypes to compute in, checked by name before torch is imported."""

from __future__ import annotations

import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from unlearnlog.core.suggestions import advice, hint
from unlearnlog.errors import UsageError

DTYPES: Final = {
    "float32": "float32",
    "bfloat16": "bfloat16",
    "float16": "float16",
    "bf16": "bfloat16",
    "fp16": "float16",
}
"""Torch's name of each dtype that the UNet may compute in, by all of its names."""

DEVICES: Final = ("cpu", "cuda", "mps", "xpu")
"""Kinds of devices; one of several is written with its number, as ``cuda:1``."""

_NAME: Final = re.compile(r"(?P<kind>[^:]+)(:(?P<number>\d{1,3}))?")
_BUILT_FOR: Final = re.compile(
    r"^(?:cuda|hip|rocm)\b[^=\n]*=\s*['\"]", re.MULTILINE | re.IGNORECASE
)


_LARGEST_SIDE: Final = 4096  # pixels


def check_dtype(name: str) -> None:
    """Refuse a name that is no dtype of the network.

    Raises:
        UsageError: The name is unknown; the error lists those that are known.
    """
    if name not in DTYPES:
        raise UsageError(f"unknown dtype '{name}'", fix=advice(name, DTYPES))


def side_of(text: str) -> int:
    """Return the side of a picture in pixels.

    Raises:
        UsageError: It is no whole number above zero, or a very large one.
    """
    if not text.isdecimal() or not 0 < int(text) <= _LARGEST_SIDE:
        raise UsageError(
            f"the side of a picture cannot be {text!r}",
            fix=f"give pixels, up to {_LARGEST_SIDE}: 512",
        )
    return int(text)


def check_device(name: str) -> None:
    """Refuse a device that certainly does not exist; torch checks the rest.

    Raises:
        UsageError: The kind is unknown, or this machine has none of it.
    """
    found = _NAME.fullmatch(name)
    kind = found["kind"] if found else name
    if found is None or kind not in DEVICES:
        raise UsageError(
            f"unknown device '{name}'",
            fix=f"{hint(kind, DEVICES)}known: {', '.join(DEVICES)}, cuda:1",
        )
    if why := _missing(kind):
        raise UsageError(
            f"no device '{name}' on this machine: {why}",
            fix="compute on the cpu: --device cpu",
        )


def _missing(kind: str) -> str:
    """Return why there can be no device of a kind; empty where there may be one."""
    if kind == "mps" and sys.platform != "darwin":
        return "mps needs a Mac"
    if kind == "cuda" and not _built_for_cuda():
        return "the installed torch is a CPU build"
    if kind == "cuda" and sys.platform == "linux" and not _has_gpu(Path("/dev")):
        return "no GPU driver found in /dev"
    return ""


def _built_for_cuda() -> bool:
    """Return whether the installed torch supports GPUs; True where that is unclear."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return True
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    return bool(_BUILT_FOR.search(text))


def _has_gpu(devices: Path) -> bool:
    """Return whether there is a driver's file: NVIDIA's, AMD's, a Jetson's or WSL's."""
    names = ("nvidiactl", "nvidia0", "kfd", "nvhost-gpu", "nvgpu", "nvmap", "dxg")
    return any((devices / name).exists() for name in names)
