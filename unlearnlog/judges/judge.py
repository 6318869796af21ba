"""The protocol of a judge of pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

    from unlearnlog.core.concept import Slot
    from unlearnlog.core.probe_case import Answer
    from unlearnlog.models.interface import Painted


class Judge(Protocol):
    """A classifier of pictures."""

    @property
    def name(self) -> str:
        """The name that an entry records."""
        ...

    @property
    def identity(self) -> str:
        """The name and a digest of all that the answers depend on."""
        ...

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the answer on each picture; the prompts are not given."""
        ...

    def features(self, painted: Painted) -> Tensor | None:
        """Return a feature vector of each picture, ``[n, d]``, or None.

        Distances between sets of pictures are taken in this space.
        """
        ...


@runtime_checkable
class ScoringJudge(Protocol):
    """A judge that says how well a picture fits a prompt, too."""

    def scores(self, painted: Painted, prompts: Sequence[str]) -> list[float]:
        """Return the CLIP score of each picture with its prompt, in [0, 100]."""
        ...


def gives_scores(judge: object) -> bool:
    """Return whether a judge says how well pictures fit prompts."""
    return isinstance(judge, ScoringJudge)


def scores_of(
    judge: Judge, painted: Painted, prompts: Sequence[str]
) -> list[float] | None:
    """Return how well each picture fits its prompt, or None, as of most judges."""
    return judge.scores(painted, prompts) if isinstance(judge, ScoringJudge) else None


def labels_of(judge: Judge) -> Mapping[str, Slot]:
    """Return the names that a judge answers whatever is asked, each with its place.

    Empty for a judge that chooses among the concepts of a world.
    """
    found: Mapping[str, Slot] = getattr(judge, "labels", {})
    return found
