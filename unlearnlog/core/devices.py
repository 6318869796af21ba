"""Where a model can compute and in what: told from names, before torch is imported."""

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
"""What the UNet may compute in, by all of its names; torch calls it by the second."""

DEVICES: Final = ("cpu", "cuda", "mps", "xpu")
"""Kinds of devices; one of several has its number behind, as in ``cuda:1``."""

_NAME: Final = re.compile(r"(?P<kind>[^:]+)(:(?P<number>\d{1,3}))?")
_BUILT_FOR: Final = re.compile(
    r"^(?:cuda|hip|rocm)\b[^=\n]*=\s*['\"]", re.MULTILINE | re.IGNORECASE
)


def check_dtype(name: str) -> None:
    """Refuse what is no dtype of the UNet.

    Raises:
        UsageError: Names those that are.
    """
    if name not in DTYPES:
        raise UsageError(
            f"'{name}' is no dtype to compute in", fix=advice(name, DTYPES)
        )


def check_device(name: str) -> None:
    """Refuse a device that certainly is not there; torch has the last word.

    Raises:
        UsageError: There is no such kind, or none of it on this machine.
    """
    found = _NAME.fullmatch(name)
    kind = found["kind"] if found else name
    if found is None or kind not in DEVICES:
        raise UsageError(
            f"there is no device '{name}' here: no such kind is known",
            fix=f"{hint(kind, DEVICES)}known: {', '.join(DEVICES)}, cuda:1",
        )
    if why := _missing(kind):
        raise UsageError(
            f"there is no device '{name}' here: {why}",
            fix="compute on the cpu: --device cpu",
        )


def _missing(kind: str) -> str:
    """Say why there can be no device of a kind; empty where there may be one."""
    if kind == "mps" and sys.platform != "darwin":
        return "mps is a Mac's"
    if kind == "cuda" and not _built_for_cuda():
        return "this torch is built for the cpu alone"
    if kind == "cuda" and sys.platform == "linux" and not _has_gpu(Path("/dev")):
        return "this machine shows no GPU"
    return ""


def _built_for_cuda() -> bool:
    """Whether the torch that is installed knows GPUs; True where nobody can say."""
    spec = find_spec("torch")
    if spec is None or spec.origin is None:
        return True
    try:
        text = (Path(spec.origin).parent / "version.py").read_text(encoding="utf-8")
    except (OSError, ValueError):
        return True
    return bool(_BUILT_FOR.search(text))


def _has_gpu(devices: Path) -> bool:
    """Whether a driver shows a GPU: NVIDIA's, AMD's, a Jetson's, or that of WSL."""
    names = ("nvidiactl", "nvidia0", "kfd", "nvhost-gpu", "nvgpu", "nvmap", "dxg")
    return any((devices / name).exists() for name in names)
