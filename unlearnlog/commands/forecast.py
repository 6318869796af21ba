"""The cost of a command: amounts of work, time by number of workers, money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

WORKERS: Final = (1, 4, 16)
"""Numbers of workers that a time is given for; each has a device as the one here."""

UNIT: Final = 32
"""Pictures or predictions that one worker computes together."""

_SCHEDULING: Final = 1.05
"""Most that the sharing of work adds to it, as a factor."""

_BESIDE: Final = 1.2
"""Most that work beside the counted one adds, such as encoding prompts, as a factor."""

_HOUR: Final = 3600.0


@dataclass(frozen=True)
class Span:
    """A number with the least and the most that it may be.

    Attributes:
        low: The least.
        usual: The expected one.
        high: The most.
    """

    low: float
    usual: float
    high: float

    @classmethod
    def around(cls, usual: float, spread: float) -> Span:
        """Return a number with a relative deviation to both sides."""
        return cls(usual * max(0.0, 1 - spread), usual, usual * (1 + spread))

    def __add__(self, other: Span) -> Span:
        """Return the sum."""
        return Span(
            self.low + other.low, self.usual + other.usual, self.high + other.high
        )

    def __mul__(self, other: Span) -> Span:
        """Return the product of two numbers that are not negative."""
        return Span(
            self.low * other.low, self.usual * other.usual, self.high * other.high
        )

    def times(self, factor: float) -> Span:
        """Return the span multiplied by a number that is not negative."""
        return self * Span(factor, factor, factor)

    def row(self) -> list[float]:
        """Return least, expected and most, to 3 digits, for JSON."""
        return [float(f"{n:.3g}") for n in (self.low, self.usual, self.high)]


NOTHING: Final = Span(0.0, 0.0, 0.0)


@dataclass(frozen=True)
class WorkPart:
    """One kind of work.

    Attributes:
        what: What is done.
        count: How often; the most where it depends on what is found.
        unit: Of what.
        time: Seconds that all of it takes one worker here.
        shared: Whether several workers can share it.
    """

    what: str
    count: int
    unit: str
    time: Span
    shared: bool = True

    @property
    def seconds(self) -> float:
        """Expected seconds that all of it takes one worker here."""
        return self.time.usual

    def time_with(self, workers: int) -> Span:
        """Return the seconds that all of it takes some workers."""
        if workers == 1 or not self.shared:
            return self.time
        n_units = max(1, -(-self.count // UNIT))
        share = -(-n_units // workers) / n_units
        return self.time * Span(share, share, share * _SCHEDULING)


@dataclass(frozen=True)
class CostForecast:
    """What a command would cost once its model is loaded.

    Attributes:
        parts: Each kind of work that there would be.
        peak_bytes: The most memory that a few of each kind took here: of the process
            on a CPU, of the device elsewhere.
    """

    parts: tuple[WorkPart, ...]
    peak_bytes: int

    @property
    def seconds(self) -> float:
        """Expected seconds that all of it would take one worker here."""
        return round(self.time_with(1).usual, 1)

    def time_with(self, workers: int) -> Span:
        """Return the seconds that all of it would take some workers.

        Args:
            workers: Their number; each has a device as the one here.
        """
        counted = sum((each.time_with(workers) for each in self.parts), NOTHING)
        return counted * Span(1.0, 1.0, _BESIDE)

    def money_with(self, workers: int, price: float) -> Span:
        """Return the money that some workers would cost.

        Args:
            workers: Their number.
            price: Price of one worker an hour, in any currency.
        """
        return self.time_with(workers).times(workers * price / _HOUR)

    def count(self, what: str) -> int:
        """Return how often something is done; 0 for never."""
        return sum(part.count for part in self.parts if part.what == what)

    def row(self, price: float | None = None) -> dict[str, Any]:
        """Return the forecast as JSON.

        Args:
            price: Price of one worker an hour; None for no money.
        """
        money = (
            {}
            if price is None
            else {
                "price": price,
                "money": {str(n): self.money_with(n, price).row() for n in WORKERS},
            }
        )
        return {
            "forget": self.count("painting the forget set"),
            "looked": self.count("painting"),
            "judged": self.count("judging"),
            "predictions": self.count("nats"),
            "gradients": self.count("searching"),
            "lessons": self.count("fine-tuning"),
            "steps": self.count("erasing"),
            "seconds": self.seconds,
            "seconds_of": {part.what: round(part.seconds, 1) for part in self.parts},
            "seconds_with": {str(n): self.time_with(n).row() for n in WORKERS},
            **money,
            "peak_bytes": self.peak_bytes,
        }


def joined(parts: Sequence[WorkPart]) -> tuple[WorkPart, ...]:
    """Return the parts with those of one kind put together."""
    found: dict[str, WorkPart] = {}
    for part in parts:
        old = found.get(part.what)
        if old is None:
            found[part.what] = part
            continue
        count, time = old.count + part.count, old.time + part.time
        found[part.what] = WorkPart(part.what, count, part.unit, time, part.shared)
    return tuple(found.values())
