"""Signatures, blame, seals and redactions, as methods of the ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from unlearnlog.api.opened import Folder, OpenedLedger
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import UsageError

if TYPE_CHECKING:
    from unlearnlog.commands.blame import Blame
    from unlearnlog.commands.shortlog import Share
    from unlearnlog.commands.signatures import Verification
    from unlearnlog.ledger.sealed_files import SealResult


@dataclass(frozen=True)
class VerifiedFolder:
    """A folder that is what its maker made.

    Attributes:
        folder: The folder.
        n_files: Number of files of the release; 0 where it is none.
        is_signed: Whether a signature was checked, and not only the release's digests.
    """

    folder: str
    n_files: int
    is_signed: bool


def verify_folder(folder: Folder, key: Folder | None = None) -> VerifiedFolder:
    """Check a folder that ``checkout --sign`` or ``release`` wrote.

    Args:
        folder: The folder.
        key: The signer's public elliptic-curve key, PEM. Without it only a release can
            be checked, for damage: who made it is not known.

    Raises:
        UsageError: The folder bears neither a signature nor a release's digests.
        IntegrityError: The folder is not what was signed, or not what was released.
    """
    from unlearnlog.commands import model_signing
    from unlearnlog.commands.release import check_release
    from unlearnlog.commands.release_card import PROVENANCE

    path = Path(folder)
    if not path.is_dir():
        raise UsageError(
            f"'{path}' is neither a revision nor a folder",
            fix="give a revision of a ledger, or a folder of a model",
        )
    if key is not None:
        model_signing.verify_folder(path, Path(key))
    is_release = (path / PROVENANCE).is_file()
    if key is None and not is_release:
        model_signing.check_signed(path)
        raise UsageError(
            f"'{path}' is signed, and no key is given to check it with",
            fix="add --key with the signer's public key",
        )
    n_files = check_release(path) if is_release else 0
    return VerifiedFolder(str(path), n_files, key is not None)


class TrustMethods(OpenedLedger):
    """Methods that say who vouches for what, and that close what must stay closed."""

    def verify(
        self, rev: str = "HEAD", *, signers: Folder | None = None
    ) -> Verification:
        """Check the signatures of every entry up to a revision.

        Args:
            rev: The revision; a tag must be signed itself, as for git's verify-tag.
            signers: A file of allowed signers, as git and ssh-keygen have it; None for
                the configuration's ``sign.signers``.

        Returns:
            The standing of each entry and of the tag; ``holds`` says whether allowed
            signers vouch for all of them.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: There is no file of allowed signers.

        Example::

            assert ledger.verify("HEAD", signers="allowed_signers").holds
        """
        from unlearnlog.commands import signatures

        file = None if signers is None else Path(signers)
        return signatures.verified_revision(self.chain, rev, file)

    def blame(self, concept: str, rev: str = "HEAD", *, reading: str = "") -> Blame:
        """List the entries that erased, took back or moved a concept, oldest first.

        Args:
            concept: The concept, by any of its names.
            rev: The last revision.
            reading: ``presence``, ``moved.nats`` or ``moved``; empty for the first of
                them that entries hold of the concept.

        Returns:
            The entries, each with the reading before and after it.

        Raises:
            RevisionError: The revision names no entry.
            ConceptError: The concept is not in the history.
            UsageError: There is no such reading of it.

        Example::

            print(ledger.blame("Monet").lines[0].change)
        """
        from unlearnlog.commands import blame

        chain = self.chain
        return blame.blamed(chain.history(chain.resolve(rev)), concept, reading)

    def shortlog(
        self, rev: str = "HEAD", *, by: Literal["author", "signer"] = "author"
    ) -> list[Share]:
        """Count the entries of each author, or of each signer.

        Args:
            rev: The last revision.
            by: Whether to go by the authors of notes or by signatures, which need
                ``sign.signers``.

        Raises:
            RevisionError: The revision names no entry.
            UsageError: There is no file of allowed signers.
        """
        from unlearnlog.commands import shortlog

        chain = self.chain
        history = chain.history(chain.resolve(rev))
        if by == "author":
            return shortlog.by_author(history)
        return shortlog.by_signer(history, self.verify(rev).entries)

    def seal(
        self, *recipients: str, recipient_files: Sequence[Folder] = ()
    ) -> SealResult:
        """Encrypt every delta and attack in the age format, and remove the cache.

        The history, its readings and digests can still be read and checked; the
        model of a revision cannot be computed until `unseal`.

        Args:
            recipients: Public keys: ``age1...`` of age-keygen, or SSH public keys.
            recipient_files: Files with one of them on each line.

        Raises:
            UsageError: There is no recipient, or one is none.
            LedgerError: There is nothing to seal, or pyrage is not installed.

        Example::

            ledger.seal(recipient_files=["~/.ssh/id_ed25519.pub"])
        """
        from unlearnlog.ledger import age_files

        files = [expanded(file) for file in recipient_files]
        found = age_files.recipients_of(recipients, files)
        return self.chain.seal(lambda data: age_files.encrypted(data, found))

    def unseal(self, identity: Folder) -> SealResult:
        """Decrypt the deltas and attacks of a sealed ledger.

        Args:
            identity: The file that age-keygen wrote, or an SSH private key.

        Raises:
            UsageError: The file holds no identity, or one of another recipient.
            LedgerError: Nothing is sealed, or pyrage is not installed.
        """
        from unlearnlog.ledger import age_files

        found = age_files.identities_of(expanded(identity))
        return self.chain.unseal(lambda data: age_files.decrypted(data, found))

    def redact(
        self, name: str = "", shown: str = "", *, undo: bool = False
    ) -> dict[str, str]:
        """Replace a concept's name in whatever is shown and exported; list them all.

        The entries keep the name, and so their digests. Aliases that the history knows
        of are redacted as well.

        Args:
            name: The concept, by any of its names; empty only lists.
            shown: The words in its place; empty for "[redacted N]".
            undo: Whether to show the name again.

        Returns:
            The words that are shown in place of each name.

        Raises:
            ConceptError: No entry is about the concept.
            UsageError: The name is to be shown again, and was not redacted.
        """
        from unlearnlog.commands import redact

        if name:
            redact.redact(self.chain, name, shown, undo=undo)
        return self.chain.redactions
