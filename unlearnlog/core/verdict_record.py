"""The record of a policy's verdict on an entry."""

from __future__ import annotations

from typing import Any, Self

from pydantic import SerializerFunctionWrapHandler, model_serializer

from unlearnlog.core.digest import Record


class VerdictRecord(Record):
    """The verdict of the policy: its limits that held, failed, or are undecided.

    Attributes:
        passed: Whether every limit held. In entries older than ``accepted`` it is true,
            too, where a limit was open and the user accepted that: use `holds`.
        accepted: Whether the user had it recorded all the same.
        failures: Limits that did not hold, one sentence each.
        undecided: Limits that the pictures did not decide, one sentence each.
    """

    passed: bool
    accepted: bool = False
    failures: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        failures: tuple[str, ...],
        undecided: tuple[str, ...],
        *,
        accepts_doubt: bool = False,
        accepts_failure: bool = False,
    ) -> Self:
        """Return the verdict of these sentences.

        Args:
            failures: Limits that do not hold.
            undecided: Limits that are not decided.
            accepts_doubt: Whether the user accepts undecided limits.
            accepts_failure: Whether the user accepts failed limits, and undecided ones.
        """
        passed = not failures and not undecided
        accepted = accepts_failure or (accepts_doubt and not failures)
        return cls(
            passed=passed,
            accepted=accepted and not passed,
            failures=failures,
            undecided=undecided,
        )

    @property
    def holds(self) -> bool:
        """Whether every limit held, each on enough pictures."""
        return self.passed and not self.failures and not self.undecided

    @property
    def may_stand(self) -> bool:
        """Whether the entry may be recorded: it passed, or the user accepted it."""
        return self.passed or self.accepted

    @property
    def word(self) -> str:
        """The verdict in one word; an accepted doubt stays a doubt."""
        if self.failures:
            return "failed"
        if self.undecided:
            return "undecided"
        return "passed" if self.passed else "refused"

    def row(self) -> dict[str, Any]:
        """Return the verdict as JSON, for an old record as for a new one."""
        return {
            "passed": self.holds,
            "accepted": self.may_stand and not self.holds,
            "failures": list(self.failures),
            "undecided": list(self.undecided),
        }

    @model_serializer(mode="wrap")
    def _leaves_out_what_is_empty(
        self, write: SerializerFunctionWrapHandler
    ) -> dict[str, Any]:
        """Return the JSON without empty fields, which older entries do not have."""
        written: dict[str, Any] = write(self)
        for name in ("accepted", "undecided"):
            if not getattr(self, name):
                written.pop(name, None)
        return written
