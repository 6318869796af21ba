"""What erasers, forecasts and attacks compute on another device, beside the CPU."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from torch import Tensor

from tests.golden.held import HERE
from tests.golden.test_computed import computed
from tests.gpu.everything import distance
from tests.tiny import build_pipeline
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.erasers.eraser_table import ERASERS


def opened(folder: Path, device: str) -> Session:
    """Return the session of a new ledger of a tiny model."""
    place = folder / device.replace(":", "-")
    place.mkdir()
    base = folder / "base"
    if not base.exists():
        build_pipeline(base)
    init(place, str(base))
    return open_session(place, concepts=HERE / "concepts.toml", device=device)


def changes(at: Session, name: str) -> list[Tensor]:
    """Return what an eraser makes of Picasso, tensor by tensor."""
    patches = computed(at, name).patches
    return [patches[key].dense() for key in sorted(patches)]


def compared_erasers(folder: Path, device: str) -> dict[str, Any]:
    """Return for each eraser how far a device's change is from that of the CPU."""
    here, there = opened(folder, "cpu"), opened(folder, device)
    found: dict[str, Any] = {}
    for name in ERASERS:
        try:
            found[name] = distance(changes(there, name), changes(here, name))
        except Exception as error:
            found[name] = f"{type(error).__name__}: {error}"
    return found
