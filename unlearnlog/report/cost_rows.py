"""The rows of a forecast: each kind of work, time by number of workers, memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from unlearnlog.commands.forecast import WORKERS, Span

if TYPE_CHECKING:
    from unlearnlog.commands.forecast import CostForecast

_UNITS: Final = ((3600.0, "h"), (60.0, "min"))
_LEAST: Final = 3
"""Units of time that are written as such: 3 min, but 170 s."""


def cost_rows(cost: CostForecast, price: float | None) -> dict[str, str]:
    """Return the lines of a forecast by their titles.

    Args:
        cost: The forecast.
        price: Price of one worker an hour; None for no money.
    """
    rows = {
        part.what: f"{part.count} {part.unit}, {duration(part.time)}"
        for part in cost.parts
    }
    for n in WORKERS:
        time = duration(cost.time_with(n))
        money = "" if price is None else f", {sum_of(cost.money_with(n, price))}"
        rows["1 worker" if n == 1 else f"{n} workers"] = time + money
    rows["beside"] = "where too few pictures decide a limit, more are judged"
    rows["peak memory"] = f"about {cost.peak_bytes / 2**20:.0f} MiB"
    return rows


def duration(span: Span) -> str:
    """Return a duration with its interval: ``about 33 s (28 to 44)``."""
    size, unit = next((u for u in _UNITS if span.usual >= _LEAST * u[0]), (1.0, "s"))
    low, usual, high = (n / size for n in (span.low, span.usual, span.high))
    return f"about {_number(usual)} {unit} ({_number(low)} to {_number(high)})"


def sum_of(span: Span) -> str:
    """Return a sum of money with its interval: ``cost 1.20 (0.90 to 1.60)``."""
    return f"cost {span.usual:.2f} ({span.low:.2f} to {span.high:.2f})"


def _number(n: float) -> str:
    return f"{n:.0f}" if n >= 10 else f"{n:.1f}"
