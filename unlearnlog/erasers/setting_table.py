"""The table of the bundled erasers' settings, which loads without torch.

`docs/make.py` writes it from the erasers themselves, and tests hold it to them. It
refuses early what they would refuse later; they decide.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Mapping
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

from unlearnlog.core.resources import PACKAGE
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.erasers.presets.preset_table import expanded
from unlearnlog.errors import PolicyError

TABLE: Final = PACKAGE / "erasers" / "knobs.json"

GROUP: Final = "unlearnlog.erasers"
"""Entry points under which other packages offer erasers."""

_NAMED: Final = "{}"
"""The place of the concept's name in a prompt that the user gives."""

_IS: Final[Mapping[str, Callable[[float, float], bool]]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@cache
def knobs() -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """Return the default and the allowed values of each setting of each eraser."""
    found: dict[str, dict[str, dict[str, Any]]]
    found = json.loads(TABLE.read_text(encoding="utf-8"))
    return found


def check_eraser(said: Mapping[str, Any]) -> None:
    """Refuse an unknown eraser, or settings that it does not take.

    Args:
        said: Its ``name``, a preset, settings; others are the eraser's defaults.

    Raises:
        PolicyError: Names the setting, its value and what it may be.
    """
    name = str(said.get("name", ""))
    if name not in knobs():
        others = [point.name for point in entry_points(group=GROUP)]
        if name not in others:
            raise no_eraser(name, [*knobs(), *others])
        return  # an eraser of another package checks its own settings
    settings = knobs()[name]
    for key, value in expanded(name, said).items():
        if key == "name":
            continue
        if key not in settings:
            raise PolicyError(
                f"the eraser '{name}' has no setting '{key}'",
                fix=advice(key, settings, most=len(settings)),
            )
        check_type(name, key, value, settings[key]["default"])
        _check_value(name, key, value, settings[key])


def no_eraser(name: str, known: list[str]) -> PolicyError:
    """Return the error for an unknown eraser."""
    return PolicyError(
        f"no eraser is called '{name}'",
        fix=f"{hint(name, known)}known: {', '.join(known)}",
    )


def check_type(eraser: str, key: str, value: object, default: object) -> None:
    """Refuse a value of another type than the setting's default, or not finite.

    Raises:
        PolicyError: Names the setting and its value.
    """
    numbers = isinstance(default, float) and isinstance(value, int | float)
    fits = numbers or isinstance(value, type(default))
    if isinstance(value, float) and not math.isfinite(value):
        raise PolicyError(f"{eraser}'s {key} is {value}", fix="give a finite number")
    if not fits or isinstance(value, bool) != isinstance(default, bool):
        raise PolicyError(
            f"the eraser's {key} is {value!r}", fix=f"give something like {default!r}"
        )


def _check_value(
    eraser: str, key: str, value: float | str, known: Mapping[str, Any]
) -> None:
    words, other = known.get("words"), known.get("or", "")
    given = bool(other) and _NAMED in str(value)
    if words is not None and value not in words and not given:
        also = f"; or {other}" if other else ""
        raise PolicyError(
            f"{eraser} has no {key} '{value}'",
            fix=f"{hint(str(value), words)}known: {', '.join(words)}{also}",
        )
    for sign, bound, fix in known.get("refused", ()):
        if not isinstance(value, str) and _IS[sign](value, bound):
            raise PolicyError(f"{eraser}'s {key} is {value}", fix=fix)
