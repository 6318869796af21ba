"""The errors of the tool, each with a message, a fix and an exit code.

The number is the exit code of the command that ends with the error::

    UnlearnlogError          1  the command failed
    ├── UsageError           2  the command was given bad input
    │   ├── ConceptError     2  a name that cannot name a concept
    │   ├── PolicyError      2  a policy file with a wrong key, type or value
    │   ├── RevisionError    2  a revision that is unknown or ambiguous
    │   ├── ModelError       2  a folder that holds no model
    │   ├── DeltaError       2  a file that holds no change of the model
    │   └── PromptError      2  a prompt that cannot be painted
    ├── Refused              3  the policy or an audit did not pass
    ├── IntegrityError       4  bytes on disk are not what was recorded
    ├── ExportError          5  less of the erasure is left than the policy requires
    ├── LockBusy             6  another writer holds the ledger
    ├── WrongBase            7  the model is not the one the ledger belongs to
    ├── LedgerError          1  the ledger cannot do this now
    │   ├── NoLedger         2  no ledger here or above
    │   ├── Moved            1  another command recorded an entry in the meantime
    │   ├── RemoteError      1  a remote that cannot be reached, or has no ledger
    │   │   └── Diverged     1  two histories of which neither continues the other
    │   ├── Sealed           1  deltas that are encrypted, and are needed
    │   └── DiskFull         1  no room left to write
    ├── TrainingError        1  an erasure that did not converge
    ├── WorkerError          1  workers that are refused, died or disagree
    └── Interrupted        130  stopped by the user

Programming errors (wrong shapes between our own functions) stay ``ValueError``
and ``KeyError``: they are ours to fix, not the user's.
"""

from __future__ import annotations

from typing import ClassVar

from unlearnlog.core.visible import visible


class UnlearnlogError(Exception):
    """An error that the user can act on.

    Attributes:
        message: What happened, with the user's own value in it.
        fix: What to type or do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str) -> None:
        """Keep what happened and what to do next."""
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        """Return both lines, as the terminal shows them."""
        return f"{visible(self.message)}\n  fix: {visible(self.fix)}"

    def __reduce__(self) -> tuple[object, ...]:
        """Return what pickle rebuilds the error from: ``fix`` is keyword-only."""
        return _rebuilt, (type(self), self.message, self.fix)


def _rebuilt(kind: type[UnlearnlogError], message: str, fix: str) -> UnlearnlogError:
    return kind(message, fix=fix)


class UsageError(UnlearnlogError):
    """Input of the user that is not valid."""

    exit_code: ClassVar[int] = 2


class ConceptError(UsageError):
    """A name that cannot name a concept.

    Attributes:
        names: The concepts that it is about, where it is about some of many.
    """

    names: tuple[str, ...] = ()


class PolicyError(UsageError):
    """A policy with a wrong key, type or value."""


class RevisionError(UsageError):
    """A revision that names no entry, or more than one."""


class ModelError(UsageError):
    """A folder that holds no model this tool can read."""


class DeltaError(UsageError):
    """A file that holds no change of the model this tool can take."""


class PromptError(UsageError):
    """A prompt that cannot be painted."""


class Refused(UnlearnlogError):  # noqa: N818 - reads as what happened
    """A policy or an audit that did not pass; nothing was written.

    Attributes:
        entry: The `unlearnlog.core.entry.Entry` that would have been recorded, with
            every reading; None where nothing was measured.
        names: The concepts of a sample that still show.
    """

    exit_code: ClassVar[int] = 3
    entry: object = None
    names: tuple[str, ...] = ()


class IntegrityError(UnlearnlogError):
    """Bytes on disk that are not the bytes that were recorded."""

    exit_code: ClassVar[int] = 4


class ExportError(UnlearnlogError):
    """An export that would keep too little of an erasure; nothing was written."""

    exit_code: ClassVar[int] = 5


class LockBusy(UnlearnlogError):  # noqa: N818 - reads as what happened
    """A lock of the ledger that another process holds."""

    exit_code: ClassVar[int] = 6


class WrongBase(UnlearnlogError):  # noqa: N818 - reads as what happened
    """A model that is not the one the ledger is bound to."""

    exit_code: ClassVar[int] = 7


class LedgerError(UnlearnlogError):
    """A ledger whose present state does not allow the operation."""


class NoLedger(LedgerError):  # noqa: N818 - reads as what happened
    """A folder without a ledger in it or above it."""

    exit_code: ClassVar[int] = 2


class Moved(LedgerError):  # noqa: N818 - reads as what happened
    """A branch that has moved since the work began."""


class RemoteError(LedgerError):
    """A remote that cannot be reached, written to, or read as one."""


class Diverged(RemoteError):  # noqa: N818 - reads as what happened
    """Two histories of which neither continues the other; nothing was moved."""


class Sealed(LedgerError):  # noqa: N818 - reads as what was found
    """A delta that is encrypted, and is needed."""


class DiskFull(LedgerError):  # noqa: N818 - reads as what happened
    """A disk without room left; what was there before is untouched."""


class TrainingError(UnlearnlogError):
    """A training that failed; nothing was written."""


class WorkerError(UnlearnlogError):
    """Workers that were refused, died too often, or disagree; nothing was written."""


class Interrupted(UnlearnlogError):  # noqa: N818 - reads as what happened
    """A command that the user stopped; nothing was written."""

    exit_code: ClassVar[int] = 130
