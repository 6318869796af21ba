"""Another command that does something while a long one computes."""

from __future__ import annotations

from collections.abc import Callable, Mapping


class Interrupting:
    """A watch that lets other commands act when a stage begins, one each time.

    Attributes:
        stages: Every stage that began.
    """

    def __init__(self, stage: str, *acts: Callable[[], object]) -> None:
        """Say which stage; an empty name is any."""
        self.stages: list[str] = []
        self._stage, self._acts = stage, [*acts]

    def stage(self, name: str, _total: int) -> None:
        """Let the next one act."""
        self.stages.append(name)
        if self._stage in ("", name) and self._acts:
            self._acts.pop(0)()

    def advance(self, _units: int, _numbers: Mapping[str, float]) -> None:
        """Say nothing."""
