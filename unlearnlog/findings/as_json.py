"""Findings as JSON, under the names of their attributes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, TypeAlias

from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading
from unlearnlog.findings.report_parts import DamageBySteps, Findings
from unlearnlog.findings.step import Step

Data: TypeAlias = bool | int | float | str | list["Data"] | dict[str, "Data"] | None
"""Values of JSON."""


def as_data(value: object) -> Data:
    """Return a value as JSON, under the names of its attributes.

    Raises:
        TypeError: JSON has no such value.
    """
    match value:
        case Entry() | Reading() | Findings() | Step() | DamageBySteps():
            return _own_data(value)
        case Mapping():
            return {str(key): as_data(each) for key, each in value.items()}
        case list() | tuple():
            return [as_data(each) for each in value]
        case None | bool() | int() | float() | str():
            return value
        case _ if is_dataclass(value):
            return _fields(value)
    message = f"JSON cannot hold a {type(value).__name__}"
    raise TypeError(message)


def _own_data(value: Entry | Reading | Findings | Step | DamageBySteps) -> Data:
    """Return a value with a form of its own as JSON."""
    match value:
        case Entry():
            return {**value.row(), "seed": value.seed, "policy": value.policy}
        case Reading():
            return {**value.row()}
        case Step():
            return _step(value)
        case DamageBySteps():
            return [as_data(each) for each in value.read()]
    last = value.last
    return {
        **_fields(value),
        "live": [*last.live],
        "doubts": as_data(last.doubts),
    }


def _fields(value: Any) -> dict[str, Data]:  # noqa: ANN401 - any dataclass
    return {f.name: as_data(getattr(value, f.name)) for f in fields(value)}


def _step(step: Step) -> dict[str, Data]:
    """Return a step as JSON: its changes, not all concepts that are erased after it."""
    return {
        "number": step.number,
        "entry": as_data(step.entry),
        "names": step.names,
        "began": [*step.began],
        "ended": [*step.ended],
    }
