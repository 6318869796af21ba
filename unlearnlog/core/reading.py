"""A measured number with its unit, its n and its interval."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from unlearnlog.core.digest import EXACT, Record

_SLACK: Final = 1e-9
"""Largest rounding error of a value beyond its interval, in the value's unit."""

_Word = Annotated[str, Field(min_length=1, max_length=200)]


class Reading(Record):
    """The result of one probe on one concept.

    Attributes:
        probe: The probe's registered name, such as ``ua``.
        concept: The concept's id, or the empty text when it is about all of them.
        value: The number, in ``unit``.
        unit: ``share`` in [0, 1], ``nats``, ``cos`` in [-1, 1], ...
        n: Number of independent measurements.
        low: Lower end of the interval, in ``unit``.
        high: Upper end of the interval, in ``unit``.
        better: The direction that is better for the user.
        base: The same measure on the base model; None when it has none.

    Raises:
        pydantic.ValidationError: A number is not finite, the value is outside of its
            interval, a share is outside of [0, 1], or n is below 1.
    """

    probe: _Word
    concept: Annotated[str, Field(max_length=200)]
    value: float
    unit: _Word
    n: Annotated[int, Field(ge=1, le=EXACT)]
    low: float
    high: float
    better: Literal["lower", "higher", "none"]
    base: float | None = None

    @model_validator(mode="after")
    def _is_inside_its_interval(self) -> Self:
        if not self.low - _SLACK <= self.value <= self.high + _SLACK:
            message = f"{self.value} is not within [{self.low}, {self.high}]"
            raise ValueError(message)
        return self

    @model_validator(mode="after")
    def _is_a_share_if_it_says_so(self) -> Self:
        if self.unit == "share" and not -_SLACK <= self.value <= 1 + _SLACK:
            message = f"a share of {self.value} is not within [0, 1]"
            raise ValueError(message)
        return self

    def __repr__(self) -> str:
        of = f" of {self.concept}" if self.concept else ""
        text = f"{self.value:.4g} {self.unit} ({self.low:.4g} to {self.high:.4g})"
        return f"<Reading {self.probe}{of}: {text}, n {self.n}>"

    __str__ = __repr__

    def row(self) -> dict[str, str | float | int | None]:
        """Return the reading as ``log --json`` shows it."""
        return {
            "probe": self.probe,
            "concept": self.concept,
            "value": self.value,
            "unit": self.unit,
            "n": self.n,
            "low": self.low,
            "high": self.high,
            "base": self.base,
        }
