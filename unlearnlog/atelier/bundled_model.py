"""The bundled model on disk: its folder, its judge, and answers on the base."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.probe_case import Answer, ProbeCase

if TYPE_CHECKING:
    from unlearnlog.atelier.atelier_judge import AtelierJudge

SOURCE: Final = "atelier"
"""Source of the bundled model in a base manifest."""

FOLDER: Final = Path(__file__).parent / "weights"


@dataclass(frozen=True)
class BaseAnswers:
    """The judge's answers on the base's pictures, so that these are not painted again.

    Attributes:
        root: Digest of the base.
        sampling: Steps and guidance of the pictures.
        answers: The answer by prompt and seed.
    """

    root: str = ""
    sampling: tuple[int, float] = (0, 0.0)
    answers: Mapping[tuple[str, int], Answer] = field(default_factory=dict)

    @classmethod
    def load(cls, path: Path) -> BaseAnswers:
        """Read the answers of a file; none where it does not exist."""
        if not path.exists():
            return cls()
        data = json.loads(path.read_text(encoding="utf-8"))
        answers = {
            (prompt, int(seed)): Answer(subject, style)
            for prompt, row in data["answers"].items()
            for seed, (subject, style) in row.items()
        }
        steps, guidance = data["sampling"]
        return cls(data["root"], (steps, guidance), answers)

    def save(self, path: Path) -> None:
        """Write the answers, sorted, one prompt a line."""
        rows: dict[str, dict[str, list[str]]] = {}
        for (prompt, seed), answer in sorted(self.answers.items()):
            rows.setdefault(prompt, {})[str(seed)] = [answer.subject, answer.style]
        lines = [f"{json.dumps(p)}: {json.dumps(row)}" for p, row in rows.items()]
        head = f'"root": {json.dumps(self.root)},\n"sampling": {list(self.sampling)}'
        body = ",\n".join(lines)
        path.write_text(f'{{{head},\n"answers": {{\n{body}\n}}}}\n', encoding="utf-8")

    def of(
        self, cells: Sequence[ProbeCase], root: str, sampling: tuple[int, float]
    ) -> list[Answer | None]:
        """Return the answer for each cell; None where it must be painted."""
        if (root, sampling) != (self.root, self.sampling):
            return [None] * len(cells)
        return [self.answers.get((cell.prompt, cell.seed)) for cell in cells]


def base_answers() -> BaseAnswers:
    """Return the answers that ship with the bundled model."""
    return BaseAnswers.load(FOLDER / "readings.json")


def bundled_judge() -> AtelierJudge:
    """Return the judge that ships with the bundled model."""
    from unlearnlog.atelier.atelier_judge import AtelierJudge

    return AtelierJudge.load(FOLDER / "judge")
