"""Every error of the tool: what happened, what to type next, which exit code.

The number is the exit code of the command that ends with the error::

    UnlearnlogError          1  could not
    ├── UsageError           2  asked wrongly
    │   ├── ConceptError     2  a name that cannot name a concept
    │   ├── PolicyError      2  a policy file that says nothing usable
    │   ├── RevisionError    2  a revision that is unknown or ambiguous
    │   ├── ModelError       2  a folder that holds no model
    │   ├── DeltaError       2  a file that holds no change of the model
    │   └── PromptError      2  a prompt that cannot be painted
    ├── Refused              3  the policy or an audit says no
    ├── IntegrityError       4  bytes on disk are not what was recorded
    ├── ExportError          5  less of the erasure is left than the policy wants
    ├── LockBusy             6  another writer holds the ledger
    ├── WrongBase            7  the model is not the one the ledger belongs to
    ├── LedgerError          1  the ledger cannot do this now
    │   ├── NoLedger         2  no ledger here or above
    │   ├── Moved            1  somebody else recorded something in the meantime
    │   └── DiskFull         1  no room left to write
    ├── TrainingError        1  an erasure that did not converge
    └── Interrupted        130  stopped by the user

Programming errors (wrong shapes between our own functions) stay ``ValueError``
and ``KeyError``: they are ours to fix, not the user's.
"""

from __future__ import annotations

from typing import ClassVar

from unlearnlog.core.visible import visible


class UnlearnlogError(Exception):
    """Something the user can act on.

    Attributes:
        message: What happened, with the user's own value in it.
        fix: What to type or do next.
    """

    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, fix: str) -> None:
        """Say what happened and what to do next."""
        super().__init__(message, fix)
        self.message = message
        self.fix = fix

    def __str__(self) -> str:
        """Show both lines, as the terminal does."""
        return f"{visible(self.message)}\n  fix: {visible(self.fix)}"

    def __reduce__(self) -> tuple[object, ...]:
        """Travel between processes although ``fix`` is keyword-only."""
        return _rebuilt, (type(self), self.message, self.fix)


def _rebuilt(kind: type[UnlearnlogError], message: str, fix: str) -> UnlearnlogError:
    return kind(message, fix=fix)


class UsageError(UnlearnlogError):
    """The command was asked for something that does not make sense."""

    exit_code: ClassVar[int] = 2


class ConceptError(UsageError):
    """A name that cannot name a concept."""


class PolicyError(UsageError):
    """A policy with a wrong key, type or value."""


class RevisionError(UsageError):
    """A revision that names no entry, or more than one."""


class ModelError(UsageError):
    """A folder that holds no model this tool can read."""


class DeltaError(UsageError):
    """A file that holds no change of the model this tool can take."""


class PromptError(UsageError):
    """A prompt the model cannot take."""


class Refused(UnlearnlogError):  # noqa: N818 - reads as what happened
    """The policy or an audit said no; nothing was written.

    Attributes:
        entry: The `unlearnlog.core.entry.Entry` that would have been recorded, with
            every reading; None where nothing was measured.
    """

    exit_code: ClassVar[int] = 3
    entry: object = None


class IntegrityError(UnlearnlogError):
    """Bytes on disk are not the bytes that were recorded."""

    exit_code: ClassVar[int] = 4


class ExportError(UnlearnlogError):
    """Too little of an erasure would be left in another form; nothing was written."""

    exit_code: ClassVar[int] = 5


class LockBusy(UnlearnlogError):  # noqa: N818 - reads as what happened
    """Another process is writing to the ledger."""

    exit_code: ClassVar[int] = 6


class WrongBase(UnlearnlogError):  # noqa: N818 - reads as what happened
    """The model is not the one the ledger is bound to."""

    exit_code: ClassVar[int] = 7


class LedgerError(UnlearnlogError):
    """The ledger cannot do what was asked in its present state."""


class NoLedger(LedgerError):  # noqa: N818 - reads as what happened
    """There is no ledger in the folder or above it."""

    exit_code: ClassVar[int] = 2


class Moved(LedgerError):  # noqa: N818 - reads as what happened
    """The branch is not where it was when the work began."""


class DiskFull(LedgerError):  # noqa: N818 - reads as what happened
    """There was no room left; what was there before is untouched."""


class TrainingError(UnlearnlogError):
    """An erasure's training failed; nothing was written."""


class Interrupted(UnlearnlogError):  # noqa: N818 - reads as what happened
    """The user stopped the command; nothing was written."""

    exit_code: ClassVar[int] = 130
