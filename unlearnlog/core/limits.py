"""Limits of a policy, and the verdict on readings."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import inf
from typing import Annotated, Final, Literal, Self

from pydantic import Field, ValidationInfo, model_validator
from pydantic_core import PydanticCustomError

from unlearnlog.core.digest import Record
from unlearnlog.core.reading import Reading
from unlearnlog.core.reading_registry import MEANINGS, range_of
from unlearnlog.core.suggestions import advice

RECORDED: Final = "recorded"
"""Validation context of a policy from an entry: it is read back, and not checked."""

N_LEAST: Final = 92
"""Pictures that a share needs: with fewer its interval is wider than ten points."""

MANY: Final = 24
"""Concepts of one erasure that are measured one by one; of more, a sample is."""


@dataclass(frozen=True)
class Verdict:
    """The verdict of a policy on readings.

    Attributes:
        failures: Limits that did not hold, one sentence each.
        undecided: Limits left open by a missing reading or too few pictures.
        screens: The readings of too few pictures that more pictures would decide.
    """

    failures: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    screens: tuple[Reading, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every limit held, each on enough pictures."""
        return not self.failures and not self.undecided

    def __add__(self, other: Verdict) -> Verdict:
        """Return the verdict of two limits together."""
        return Verdict(
            self.failures + other.failures,
            self.undecided + other.undecided,
            self.screens + other.screens,
        )


def first_of(sentences: Sequence[str], most: int = 3) -> str:
    """Join a few sentences of a verdict, and count the others.

    Example:
        >>> first_of(["a fails", "b fails", "c fails", "d fails"])
        'a fails; b fails; c fails; and 1 more'
    """
    rest = len(sentences) - most
    return "; ".join([*sentences[:most], *([f"and {rest} more"] if rest > 0 else [])])


def _useless(what: str, fix: str) -> PydanticCustomError:
    """Return the error of a limit that is not valid, with its fix."""
    # pydantic formats the text as a template, and it quotes input.
    return PydanticCustomError("limit", "{what}", {"what": what, "fix": fix})


def _such_as(bound: float, high: float) -> float:
    """Return a likely bound in range: 0.9 for 90; 0 where there is none."""
    return bound / 100 if 0 <= bound / 100 <= high else 0.0


class Limit(Record):
    """A bound on the readings of one probe.

    ``at_least`` does not apply to a reading where lower is better, nor ``at_most`` to
    one where higher is: ``presence`` keeps the erased concept down, the others up.

    Attributes:
        reading: The probe's name.
        at_least: Smallest value that passes.
        at_most: Largest value that passes.
        of_base: Whether the bound is a multiple of the base's own reading.
        on: What is compared: the reading's ``value``, or its whole ``interval``.
        optional: Whether the reading may be missing, as ``lands.subject`` is when a
            subject is erased.
    """

    reading: Annotated[str, Field(min_length=1)]
    at_least: float | None = None
    at_most: float | None = None
    of_base: bool = False
    on: Literal["value", "interval"] = "value"
    optional: bool = False

    @model_validator(mode="after")
    def _bounds_something(self, info: ValidationInfo) -> Self:
        if self.at_least is None and self.at_most is None:
            message = f"the limit on '{self.reading}' has neither at_least nor at_most"
            raise ValueError(message)
        if info.context is not RECORDED:
            self._check_reading()
            self._check_bounds()
        return self

    def _check_reading(self) -> None:
        """Refuse a reading that no probe has, or a bound of the wrong direction."""
        if self.reading not in MEANINGS:
            raise _useless(
                f"no probe reads '{self.reading}'",
                advice(self.reading, MEANINGS, most=len(MEANINGS)),
            )
        way = MEANINGS[self.reading].better
        asked = {"lower": self.at_most, "higher": self.at_least}
        if way != "either" and asked[way] is None:
            bound = "at_most" if way == "lower" else "at_least"
            raise _useless(
                f"the limit on '{self.reading}' bounds nothing: {way} is better",
                f"give it {bound}",
            )

    def _check_bounds(self) -> None:
        """Refuse a bound outside of the reading's range."""
        low, high = range_of(self.reading, of_base=self.of_base)
        for name in ("at_least", "at_most"):
            bound = getattr(self, name)
            if bound is not None and not low <= bound <= high:
                unit = MEANINGS[self.reading].unit
                what = "a multiple of the base's" if self.of_base else f"a {unit}"
                reach = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
                raise _useless(
                    f"the limit on '{self.reading}' has {name} = {bound:g}, "
                    f"but it is {what}",
                    f"give {reach}, such as {name} = {_such_as(bound, high):g}",
                )

    @property
    def text(self) -> str:
        """The limit in words."""
        least, most = self.at_least, self.at_most
        asks = [] if least is None else [f"at least {least:g}"]
        asks += [] if most is None else [f"at most {most:g}"]
        text = f"{self.reading} {' and '.join(asks)}"
        text += " of base" if self.of_base else ""
        text += ", whole interval" if self.on == "interval" else ""
        return text + (", where it is read" if self.optional else "")

    def verdict(
        self, readings: Iterable[Reading], unread: str | None = None
    ) -> Verdict:
        """Return the verdict on every reading that the limit bounds.

        A share of fewer than `N_LEAST` pictures that breaks the limit is undecided,
        unless its whole interval breaks it: that is a failure, whatever its n. Such a
        share shows that a concept is gone only if its whole interval does.

        Args:
            readings: All readings.
            unread: Why there is none, where there is none for a reason.
        """
        bounded = [reading for reading in readings if self.bounds(reading)]
        if not bounded and not self.optional:
            why = f": {unread}" if unread else ""
            return Verdict(undecided=(f"there is no reading of {self.reading}{why}",))
        return sum(map(self._of, bounded), Verdict())

    def bound(self, reading: Reading) -> tuple[float | None, float | None]:
        """Return the least and the most that a reading may be, in its own unit.

        None for an end that is not bounded, and for both where the bound is a share of
        the base and the base was not read.
        """
        scale = reading.base if self.of_base else 1.0
        if scale is None or not self.bounds(reading):
            return None, None
        least = self.at_least if reading.better != "lower" else None
        most = self.at_most if reading.better != "higher" else None
        return (
            None if least is None else least * scale,
            None if most is None else most * scale,
        )

    def bounds(self, reading: Reading) -> bool:
        """Return whether the limit bounds a reading."""
        low = self.at_least is not None and reading.better != "lower"
        high = self.at_most is not None and reading.better != "higher"
        return reading.probe == self.reading and (low or high)

    def _of(self, reading: Reading) -> Verdict:
        if self.of_base and reading.base is None:
            return Verdict((f"{self.reading} has no base to be compared with",))
        low, high = reading.value, reading.value
        if self.on == "interval":
            low, high = reading.low, reading.high
        few = reading.unit == "share" and reading.n < N_LEAST
        if broken := self._broken(reading, low, high):
            beyond = self._broken(reading, reading.high, reading.low)
            if beyond or not few:
                return Verdict((broken,))
        elif not (few and _claims_absence(reading)):
            return Verdict()
        text = broken or self._broken(reading, reading.low, reading.high)
        if not text:
            return Verdict()
        open_text = f"{text}, but n is {reading.n}: a limit needs {N_LEAST}"
        return Verdict(undecided=(open_text,), screens=(reading,))

    def _broken(self, reading: Reading, low: float, high: float) -> str:
        """Return which bound two ends break; empty where they hold both."""
        least, most = self.bound(reading)
        what = f"{reading.probe} of {reading.concept} is {reading.value:.3f}"
        if (low, high) != (reading.value, reading.value):
            what += f" ({reading.low:.3f} to {reading.high:.3f})"
        of_base = " of base" if self.of_base else ""
        if least is not None and low < least:
            return f"{what}, must be at least {self.at_least:g}{of_base}"
        if most is not None and high > most:
            return f"{what}, must be at most {self.at_most:g}{of_base}"
        return ""


def _claims_absence(reading: Reading) -> bool:
    """Return whether a reading that holds would show that a concept is gone."""
    return reading.probe == "ua" or reading.better == "lower"
