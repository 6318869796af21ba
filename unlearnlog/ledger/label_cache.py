"""What judges saw, in the ledger's cache: a probe that was stopped goes on from it.

One page holds what was seen of one state painted in one way.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import canonical_json
from unlearnlog.core.probe_case import Answer

if TYPE_CHECKING:
    from unlearnlog.core.work_cache import Picture
    from unlearnlog.ledger.cache_pages import Pages

KEPT: Final = 512
"""Pages that stay, the newest: a state's answers take some 50 kB."""


@dataclass(frozen=True)
class DiskLabelCache:
    """Answers, a page a key; any may vanish, and its pictures are judged again."""

    pages: Pages

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return what was written down under this key."""
        content = self.pages.get(key)
        return {} if content is None else _answers(content)

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those under this key, if the disk lets us."""
        self.pages.put(key, _page({**self.read(key), **answers}))


def _page(answers: Mapping[Picture, Answer]) -> bytes:
    rows: dict[str, dict[str, list[str]]] = {}
    for (prompt, seed), seen in answers.items():
        rows.setdefault(prompt, {})[str(seed)] = [seen.subject, seen.style]
    return canonical_json(rows)


def _answers(content: bytes) -> dict[Picture, Answer]:
    return {
        (prompt, int(seed)): Answer(subject, style)
        for prompt, row in json.loads(content).items()
        for seed, (subject, style) in row.items()
    }
