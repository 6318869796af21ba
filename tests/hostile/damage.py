"""Ways to write over the files of a folder."""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

WEIGHTS = {
    "unet": "diffusion_pytorch_model.safetensors",
    "vae": "diffusion_pytorch_model.safetensors",
    "text_encoder": "model.safetensors",
}


def set_json(file: Path, **changes: Any) -> None:
    """Change keys of a JSON object; the file may be new."""
    content = json.loads(file.read_text()) if file.exists() else {}
    file.write_text(json.dumps(content | changes))


def config(component: str, **changes: Any) -> Callable[[Path, Path], None]:
    """Say something else in a component's configuration."""
    name = {"scheduler": "scheduler_config.json", "tokenizer": "tokenizer_config.json"}

    def damage(folder: Path, secret: Path) -> None:
        told = {k: str(secret) if v == "SECRET" else v for k, v in changes.items()}
        set_json(folder / component / name.get(component, "config.json"), **told)

    return damage


def header_of(file: Path) -> tuple[dict[str, Any], bytes]:
    """Read a safetensors file: its header, and the bytes behind it."""
    data = file.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def put(file: Path, header: dict[str, Any] | str, body: bytes) -> None:
    """Write a safetensors file, whatever its header says."""
    said = (header if isinstance(header, str) else json.dumps(header)).encode()
    said += b" " * (-len(said) % 8)
    file.write_bytes(struct.pack("<Q", len(said)) + said + body)


def header(
    component: str, change: Callable[[dict[str, Any]], object]
) -> Callable[[Path, Path], None]:
    """Say something else in the header of a component's weights."""

    def damage(folder: Path, _: Path) -> None:
        file = folder / component / WEIGHTS[component]
        said, body = header_of(file)
        new = change(said)
        put(file, new if isinstance(new, str) else said, body)

    return damage


def first(said: dict[str, Any], **changes: Any) -> None:
    """Change what a header says of its first tensor."""
    name = min(name for name in said if name != "__metadata__")
    said[name] |= changes


def content(path: str, data: bytes) -> Callable[[Path, Path], None]:
    """Write a file over another, or a new one."""

    def damage(folder: Path, _: Path) -> None:
        (folder / path).write_bytes(data)

    return damage
