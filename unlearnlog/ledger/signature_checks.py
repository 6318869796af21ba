"""Checks of many signatures: several at a time, and a good one only once.

A check takes two processes of ssh-keygen. What was good is kept in a page of the cache,
sealed with the user's key, for one content of the file of allowed signers; a bad or an
unknown signature, and one without a date of its own, is checked each time.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.ledger.ssh_keygen import (
    SignatureCheck,
    check_signers,
    checked,
    is_time,
)

if TYPE_CHECKING:
    from unlearnlog.ledger.cache_pages import Pages

KEPT: Final = 16
"""Number of pages that stay: one for each content of the file of allowed signers."""

_MOST_AT_ONCE: Final = 8


@dataclass(frozen=True)
class SignatureQuestion:
    """A signature of some bytes, and the time at which its key must be allowed.

    Attributes:
        data: What was signed.
        signature: The signature.
        at: The time, ISO 8601; empty for now.
    """

    data: bytes
    signature: bytes
    at: str = ""

    @property
    def key(self) -> str:
        """The name of the answer in the cache; empty where it changes with time."""
        if not is_time(self.at):
            return ""
        return f"{digest_of(self.data)} {digest_of(self.signature)} {self.at}"


class SignatureChecks:
    """Checks against one file of allowed signers, as it is when this is made."""

    def __init__(self, signers: Path, pages: Pages) -> None:
        """Read the file.

        Args:
            signers: The file: a line ``PRINCIPAL KEY`` for each signer.
            pages: Keeps what was good.

        Raises:
            UsageError: There is no such file.
        """
        check_signers(signers)
        self._allowed = signers.read_bytes()
        self._pages = pages
        self._page = f"signatures good by {digest_of(self._allowed)}"
        content = pages.get(self._page)
        self._good: dict[str, list[str]] = json.loads(content) if content else {}

    def all(self, questions: Sequence[SignatureQuestion]) -> list[SignatureCheck]:
        """Return the answer to each question, in their order.

        Raises:
            LedgerError: There is no ssh-keygen.
        """
        new = [each for each in questions if each.key not in self._good]
        answers = dict(zip(new, self._checked(new), strict=True))
        good = {
            each.key: [answer.signer, answer.key]
            for each, answer in answers.items()
            if answer.word == "good" and each.key
        }
        if good:
            self._good |= good
            self._pages.put(self._page, canonical_json(self._good))
        return [
            answers[each]
            if each in answers
            else SignatureCheck("good", *self._good[each.key])
            for each in questions
        ]

    def _checked(self, new: Sequence[SignatureQuestion]) -> list[SignatureCheck]:
        """Check against a copy of the file, so that all is by the same content."""
        if not new:
            return []
        with tempfile.NamedTemporaryFile(suffix=".signers") as copy:
            copy.write(self._allowed)
            copy.flush()
            file = Path(copy.name)
            with ThreadPoolExecutor(min(_MOST_AT_ONCE, os.cpu_count() or 1)) as pool:
                begun = [
                    pool.submit(checked, each.data, each.signature, file, at=each.at)
                    for each in new
                ]
                try:
                    return [each.result() for each in begun]
                except BaseException:
                    pool.shutdown(cancel_futures=True)
                    raise
