"""The check of a history's signatures, for ``verify`` and ``fsck``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from unlearnlog.commands.defaults import configured
from unlearnlog.errors import IntegrityError, UsageError
from unlearnlog.ledger.fsck import Damage
from unlearnlog.ledger.signature_files import REQUIRED, SIGNERS, is_asked

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId
    from unlearnlog.ledger.entry_standing import Standing
    from unlearnlog.ledger.repository import Repository


@dataclass(frozen=True)
class Verification:
    """What the signatures of a revision say.

    Attributes:
        rev: The revision, as it was typed.
        signers: The file of allowed signers.
        entries: The standing of each entry up to the revision, oldest first.
        tag: The standing of the tag that the revision names; None where it names none.
    """

    rev: str
    signers: str
    entries: tuple[Standing, ...]
    tag: Standing | None = None

    @property
    def faults(self) -> tuple[Standing, ...]:
        """What no allowed signer vouches for.

        A tag that is named must be signed itself, as for git's verify-tag: else one
        that was moved to another signed entry would not show.
        """
        tag = () if self.tag is None else (self.tag,)
        return tuple(each for each in (*tag, *self.entries) if not each.holds)

    @property
    def holds(self) -> bool:
        """Whether an allowed signer vouches for all of it."""
        return not self.faults

    def row(self) -> dict[str, Any]:
        """Return the fields as ``verify --json`` prints them."""
        return {
            "revision": self.rev,
            "signers": self.signers,
            "holds": self.holds,
            "tag": self.tag and asdict(self.tag),
            "entries": [asdict(each) for each in self.entries],
        }


def verified_revision(
    ledger: Repository, rev: str, signers: Path | None = None
) -> Verification:
    """Check the signatures of every entry up to a revision.

    Args:
        ledger: The ledger.
        rev: The revision.
        signers: The file of allowed signers; None for the configuration's.

    Raises:
        RevisionError: The revision names no entry.
        UsageError: There is no file of allowed signers.
        IntegrityError: A file of the ledger is damaged.
    """
    names = [name for name, _ in ledger.history(ledger.resolve(rev))]
    file = signers_of(ledger, signers)
    standings = ledger.standings(file)
    tag = standings.tag(rev) if rev in ledger.tags else None
    return Verification(rev, str(file), tuple(standings.entries(names)), tag)


def signers_of(ledger: Repository, given: Path | None = None) -> Path:
    """Return the file of allowed signers.

    Raises:
        UsageError: None is given, and none is configured.
    """
    if given is not None:
        return given
    if SIGNERS not in (config := configured(ledger)):
        raise UsageError(
            "no file says which signers are allowed",
            fix=f"add --signers FILE, or unlearnlog config set {SIGNERS} FILE",
        )
    return Path(config[SIGNERS])


def is_required(ledger: Repository) -> bool:
    """Return whether a ledger asks for signatures."""
    return is_asked(ledger.config, REQUIRED)


def unvouched(ledger: Repository, signers: Path | None = None) -> Iterator[Damage]:
    """Yield a damage for each entry and signed tag that no allowed signer vouches for.

    Raises:
        UsageError: There is no file of allowed signers.
        IntegrityError: A file of the ledger is damaged.
    """
    standings = ledger.standings(signers_of(ledger, signers))
    for each in standings.entries(_oldest_first(ledger)):
        if not each.holds and each.entry:
            yield Damage(each.path, each.problem, (each.entry,))
    for name in ledger.tags:
        tag = standings.tag(name)
        if tag.word in ("unknown", "bad"):
            yield Damage(f"refs/tags/{name}", f"the tag: {tag.problem}")


def beside(
    damage: Sequence[Damage], ledger: Repository, signers: Path | None = None
) -> tuple[Damage, ...]:
    """Return the damages of `unvouched`, as far as other damage lets them be found.

    Raises:
        UsageError: There is no file of allowed signers.
        IntegrityError: A file is damaged that was sound before.
    """
    try:
        return tuple(unvouched(ledger, signers))
    except IntegrityError:
        if damage:  # which names the file
            return ()
        raise


def _oldest_first(ledger: Repository) -> Iterable[EntryId]:
    """Return every entry that a branch or a tag leads to, parents first."""
    heads = dict.fromkeys(ledger.refs.values())
    return dict.fromkeys(name for head in heads for name, _ in ledger.history(head))
