"""What the erasers' settings may be, found by asking each eraser."""

from __future__ import annotations

import json
from dataclasses import Field, fields
from typing import Any, Final

from unlearnlog.erasers.eraser_table import ERASERS, Eraser
from unlearnlog.errors import PolicyError

_NO_WORD: Final = "no such word"
_INTEGERS: Final = 64
"""How far up whole numbers are tried."""


def knobs_text() -> str:
    """Return `unlearnlog.erasers.setting_table` as JSON with one setting a line."""
    erasers = []
    for name, kind in ERASERS.items():
        rows = [
            f"    {json.dumps(each.name)}: {json.dumps(_knob(kind, each))}"
            for each in fields(kind)
        ]
        erasers.append(f"  {json.dumps(name)}: {{\n" + ",\n".join(rows) + "\n  }")
    return "{\n" + ",\n".join(erasers) + "\n}\n"


def _knob(kind: type[Eraser], setting: Field[Any]) -> dict[str, Any]:
    default = setting.default
    found: dict[str, Any] = {"default": default}
    if isinstance(default, str):
        said = _refusal(kind, setting.name, _NO_WORD)
        if said.startswith("known: "):
            words, _, other = said.removeprefix("known: ").partition("; or ")
            found["words"] = words.split(", ")
            found |= {"or": other} if other else {}
    elif not isinstance(default, bool) and (refused := _refused(kind, setting)):
        found["refused"] = refused
    return found


def _refused(kind: type[Eraser], setting: Field[Any]) -> list[list[Any]]:
    """Return what is too little and what is too much, each with what to do."""
    name, found = setting.name, list[list[Any]]()
    if fix := _refusal(kind, name, -1):
        found.append(["<", 0, fix])
    if fix := _refusal(kind, name, 0):
        found = [["<=", 0, fix]]
    if isinstance(setting.default, int):
        few = [n for n in range(1, _INTEGERS) if _refusal(kind, name, n)]
        if few and few == [*range(1, len(few) + 1)]:
            found.append(["<=", few[-1], _refusal(kind, name, few[-1])])
    elif fix := _refusal(kind, name, 1.5):
        found.append([">=" if _refusal(kind, name, 1.0) else ">", 1, fix])
    elif fix := _refusal(kind, name, 0.5):
        found.append(["<", 1, fix])
    return found


def _refusal(kind: type[Eraser], name: str, value: object) -> str:
    """Return what an eraser says to do about a value; empty where it takes it."""
    try:
        kind.of({name: value})
    except PolicyError as error:
        return error.fix
    return ""
