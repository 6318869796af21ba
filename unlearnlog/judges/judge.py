"""What a judge is: somebody who says what pictures show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.probe_case import Answer
    from unlearnlog.models.interface import Painted


class Judge(Protocol):
    """Whoever says what pictures show."""

    @property
    def name(self) -> str:
        """What an entry calls it."""
        ...

    @property
    def identity(self) -> str:
        """Its name and a digest of all that its answers depend on."""
        ...

    def judged(self, painted: Painted) -> list[Answer]:
        """Say what each picture shows; it is never told what was asked for."""
        ...

    def features(self, painted: Painted) -> Tensor | None:
        """Return a vector for each picture, ``[n, d]``; None when it has none.

        Distances between sets of pictures are taken in this space.
        """
        ...
