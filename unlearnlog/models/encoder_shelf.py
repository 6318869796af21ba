"""The text encoders of a pipeline: all kept, or each only while it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import torch

    from unlearnlog.models.network_kinds import Untyped

Load = Callable[[str], "Untyped"]
"""Loads a text encoder from disk, by its component's name."""

_ELSEWHERE: Final = "cpu"
"""Where a network waits that is not on its device."""


class EncoderShelf(Mapping[str, "Untyped"]):
    """Text encoders by component.

    With offloading an encoder is loaded when it is asked for, and all of them are
    dropped before the network computes; the network leaves the device meanwhile. So
    the device never holds both, and memory holds at most one of them and the network.

    Attributes:
        shapes: Shape of every weight, by component and by name inside of it.
    """

    def __init__(self, device: torch.device, *, offloads: bool) -> None:
        """Begin without encoders, on a device; with offloading none is kept."""
        self.shapes: dict[str, dict[str, torch.Size]] = {}
        self._device, self._offloads = device, offloads
        self._here: dict[str, Untyped] = {}
        self._load: Load | None = None

    def put(self, component: str, encoder: Untyped) -> None:
        """Put a loaded encoder in; with offloading only its shapes are kept."""
        named = encoder.named_parameters()
        self.shapes[component] = {name: p.shape for name, p in named}
        if not self._offloads:
            self._here[component] = encoder.to(self._device)

    def load_with(self, load: Load) -> None:
        """Set what loads an encoder again."""
        self._load = load

    def __getitem__(self, component: str) -> Untyped:
        """Return an encoder, loaded where it is not here.

        Raises:
            KeyError: There is no such encoder.
            ModelError: Its files were changed meanwhile.
        """
        if component not in self.shapes:
            raise KeyError(component)
        if component not in self._here and self._load is not None:
            self._here.clear()
            self._here[component] = self._load(component).to(self._device)
        return self._here[component]

    def __iter__(self) -> Iterator[str]:
        return iter(self.shapes)

    def __len__(self) -> int:
        return len(self.shapes)

    @property
    def n_here(self) -> int:
        """Number of encoders in memory."""
        return len(self._here)

    def begin(self, network: Untyped) -> None:
        """Make room for encoders: with offloading, the network leaves the device."""
        if self._offloads:
            network.to(_ELSEWHERE)

    def end(self, network: Untyped) -> None:
        """Make room for the network: with offloading, encoders are dropped."""
        if self._offloads:
            self._here.clear()
            network.to(self._device)
