"""Standing of each entry of a history: its signers, or those of a tag above it.

An entry's id is a digest over all that came before it. A signed tag therefore vouches
for the history below it as it was when the tag was made, and an older history needs no
signature of each entry.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Final, Literal

from unlearnlog.core.digest import Digest, digest_of
from unlearnlog.ledger.ledger_file import SIGNATURES
from unlearnlog.ledger.signature_checks import SignatureQuestion
from unlearnlog.ledger.signature_files import signatures_of, tag_text

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId
    from unlearnlog.ledger.ledger_reader import LedgerReader
    from unlearnlog.ledger.signature_checks import SignatureChecks
    from unlearnlog.ledger.ssh_keygen import SignatureCheck
    from unlearnlog.ledger.store import Store

StandingWord = Literal["good", "tag", "unknown", "bad", "unsigned"]

_PROBLEMS: Final = {
    "unknown": "it is signed with a key that is not allowed",
    "bad": "its signature is of something else",
    "unsigned": "it is not signed",
}


@dataclass(frozen=True)
class Standing:
    """What a history's signatures say of one entry or one tag.

    Attributes:
        entry: The entry; None for a tag of the base.
        word: ``good``: an allowed signer signed it; ``tag``: one signed a tag on it or
            above it; ``bad``: no allowed signer did, and a signature is not one of it;
            ``unknown``: its signers are not allowed; ``unsigned``: it has none.
        signers: The principals that vouch for it.
        keys: Fingerprints of the keys of its sound signatures.
        tag: The tag, where one vouches for it or is itself the subject.
    """

    entry: EntryId | None
    word: StandingWord
    signers: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    tag: str = ""

    @property
    def holds(self) -> bool:
        """Whether an allowed signer vouches for it."""
        return self.word in ("good", "tag")

    @property
    def problem(self) -> str:
        """What is wrong, as a sentence; empty where nothing is."""
        return _PROBLEMS.get(self.word, "")

    @property
    def path(self) -> str:
        """The folder of its signatures, below the ledger's folder."""
        start = self.entry[:2] if self.entry else ""
        return f"{SIGNATURES}/{start}/{self.entry}"


@dataclass(frozen=True)
class _Subject:
    """What may be signed: an entry's JSON, or the text of a tag on it."""

    entry: EntryId | None
    data: bytes
    tag: str = ""
    at: str = ""


class Standings:
    """The standing of entries and tags, each computed once."""

    def __init__(
        self, ledger: LedgerReader, store: Store, checks: SignatureChecks
    ) -> None:
        """Read no signature yet.

        Args:
            ledger: The ledger.
            store: Its files.
            checks: The check against a file of allowed signers.
        """
        self._ledger, self._store, self._checks = ledger, store, checks

    def tag(self, name: str) -> Standing:
        """Return the standing of a tag by its own signatures.

        Raises:
            IntegrityError: The tag or a signature is damaged.
        """
        return self._own([self._tag(name)])[0]

    def entries(self, names: Iterable[EntryId]) -> list[Standing]:
        """Return the standing of entries, in their order.

        Raises:
            IntegrityError: An entry or a signature is damaged.
        """
        own = self._own([self._subject(name) for name in names])
        return [self._with_tag(each) for each in own]

    def _tag(self, name: str) -> _Subject:
        entry = self._ledger.refs[f"tags/{name}"]
        return _Subject(entry, tag_text(name, entry, self._ledger.base.root), tag=name)

    def _subject(self, name: EntryId) -> _Subject:
        entry = self._ledger.entry(name)
        return _Subject(name, entry.to_json(), at=entry.date)

    def _with_tag(self, own: Standing) -> Standing:
        """Return the standing of an entry, by a tag where no good one is its own.

        A bad one takes nothing from a tag: whoever can write may put one there.
        """
        if own.entry is None or own.word == "good":
            return own
        tag = self._covered.get(own.entry)
        if tag is None:
            return own
        return Standing(own.entry, "tag", tag.signers, tag.keys, tag.tag)

    @cached_property
    def _covered(self) -> dict[EntryId, Standing]:
        """The entries that a well signed tag leads to, with that tag."""
        found: dict[EntryId, Standing] = {}
        for tag in self._own([self._tag(name) for name in self._ledger.tags]):
            at = tag.entry if tag.holds else None
            while at is not None and at not in found:
                found[at] = tag
                at = self._ledger.entry(at).parent
        return found

    def _own(self, subjects: Sequence[_Subject]) -> list[Standing]:
        """Return the standing of each subject by its own signatures."""
        asked = [
            [
                SignatureQuestion(each.data, signature, each.at)
                for signature in signatures_of(
                    self._store, Digest(digest_of(each.data))
                )
            ]
            for each in subjects
        ]
        answers = iter(self._checks.all([one for each in asked for one in each]))
        return [
            _standing(subject, list(islice(answers, len(each))))
            for subject, each in zip(subjects, asked, strict=True)
        ]


def _standing(subject: _Subject, found: list[SignatureCheck]) -> Standing:
    keys = tuple(dict.fromkeys(each.key for each in found if each.key))
    signers = tuple(dict.fromkeys(each.signer for each in found if each.signer))
    return Standing(subject.entry, _word(found), signers, keys, subject.tag)


def _word(found: list[SignatureCheck]) -> StandingWord:
    """Return the word for all signatures of one subject: a good one is enough.

    Whoever can write to the folder can put bad ones beside it.
    """
    order: tuple[StandingWord, ...] = ("good", "bad", "unknown")
    words = {each.word for each in found}
    return next((word for word in order if word in words), "unsigned")
