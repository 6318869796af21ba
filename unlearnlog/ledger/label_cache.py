"""The cache of judges' answers in the ledger, from which a stopped probe continues.

One page holds the answers on one state, painted in one way.
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
"""Number of pages that stay, the newest: a state's answers take some 50 kB."""


@dataclass(frozen=True)
class DiskLabelCache:
    """A cache of answers, a page a key; pictures of a lost one are judged again."""

    pages: Pages

    def read(self, key: str) -> dict[Picture, Answer]:
        """Return the answers of a key."""
        content = self.pages.get(key)
        return {} if content is None else _answers(content)

    def write(self, key: str, answers: Mapping[Picture, Answer]) -> None:
        """Add answers to those of a key, if the disk allows it."""
        self.pages.put(key, _page({**self.read(key), **answers}))


def _page(answers: Mapping[Picture, Answer]) -> bytes:
    rows: dict[str, dict[str, list[str]]] = {}
    for (prompt, seed), answer in answers.items():
        rows.setdefault(prompt, {})[str(seed)] = [answer.subject, answer.style]
    return canonical_json(rows)


def _answers(content: bytes) -> dict[Picture, Answer]:
    return {
        (prompt, int(seed)): Answer(subject, style)
        for prompt, row in json.loads(content).items()
        for seed, (subject, style) in row.items()
    }
