"""The price of one worker an hour, as it is given."""

from __future__ import annotations

import math

from unlearnlog.errors import UsageError


def check_price(told: str, of: str) -> float:
    """Return a price as a number.

    Args:
        told: The price, as it was given.
        of: The option or key that it was given for.

    Raises:
        UsageError: It is no number, negative or not finite.
    """
    try:
        price = float(told)
    except ValueError:
        price = math.nan
    if not (math.isfinite(price) and price >= 0):
        raise UsageError(
            f"{of} cannot be '{told}': the price of one worker an hour, such as 2.50",
            fix="give a number that is not negative",
        )
    return price
