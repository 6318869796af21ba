"""Tables of a policy's fields and of the policies that ship."""

from __future__ import annotations

import inspect
import re
from typing import Any, Final

from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from unlearnlog.core.limits import Limit
from unlearnlog.core.resources import policy_folder
from unlearnlog.policy import (
    AuditSettings,
    ExportSettings,
    Policy,
    ProbeSettings,
    Requirements,
    SamplingSettings,
)

SECTIONS: Final[dict[str, type[BaseModel]]] = {
    "sampling": SamplingSettings,
    "probes": ProbeSettings,
    "require": Requirements,
    "export": ExportSettings,
    "audit": AuditSettings,
    "limits": Limit,
}
"""What describes each table of a policy's file."""

SHIPPED: Final = ("fast", "default", "strict", "no-judge", "many", "glyphs")
"""The policies that ship, the one that looks least closely first; special ones last."""

_FIRST: Final = "default"
"""Readings stand in the order of this one's limits."""

_ENTRY: Final = re.compile(r"^    (\w+): (.*(?:\n        .*)*)", re.MULTILINE)


def fields_table(section: str) -> str:
    """Return one row a field of a section, with what its docstring says of it."""
    kind = SECTIONS[section]
    described = _described(kind)
    rows = ["| field | default | may be | what it is |", "|---|--:|---|---|"]
    for name, schema in kind.model_json_schema()["properties"].items():
        said = described.get(name, "")
        rows.append(
            f"| `{name}` | {_default(kind, name)} | {_range(schema)} | {said} |"
        )
    return "\n".join(rows)


def shipped_table() -> str:
    """Return what each policy that ships wants of each reading."""
    policies = {name: Policy.load(name) for name in SHIPPED}
    limited: dict[str, dict[str, str]] = {}
    for name in sorted(SHIPPED, key=_FIRST.__ne__):
        for limit in policies[name].limits:
            limited.setdefault(limit.reading, {})[name] = _wanted(limit)
    rows = [
        f"| | {' | '.join(f'`{name}`' for name in SHIPPED)} |",
        "|---" * (len(SHIPPED) + 1) + "|",
        _line("eraser", *(f"`{p.eraser['name']}`" for p in policies.values())),
        _line("pictures of a cell that shows the concept", *_sizes(policies, "erased")),
        _line("pictures of every other cell", *_sizes(policies, "kept")),
        _line("share of these cells", *_sizes(policies, "kept_share")),
        _line("pictures that nats are read on", *_sizes(policies, "information")),
    ]
    for reading, by_policy in limited.items():
        rows.append(_line(f"`{reading}`", *(by_policy.get(n, "") for n in SHIPPED)))
    return "\n".join(rows)


def policy_file(name: str) -> str:
    """Return the file of a policy that ships, as a block of code."""
    text = (policy_folder() / f"{name}.toml").read_text(encoding="utf-8").rstrip()
    return f"```toml\n{text}\n```"


def _line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _sizes(policies: dict[str, Policy], field: str) -> list[str]:
    return [f"{getattr(each.probes, field):g}" for each in policies.values()]


def _wanted(limit: Limit) -> str:
    """Return what a limit asks for, in the fewest words."""
    of_base = " of base" if limit.of_base else ""
    bounds = [
        f"{sign} {bound:g}{of_base}"
        for sign, bound in (("≥", limit.at_least), ("≤", limit.at_most))
        if bound is not None
    ]
    said = ", ".join(bounds)
    return f"{said} (interval)" if limit.on == "interval" else said


def _described(kind: type[BaseModel]) -> dict[str, str]:
    """Return what a docstring says of each attribute."""
    text = inspect.getdoc(kind) or ""
    attributes = text.partition("Attributes:\n")[2]
    found = {name: " ".join(said.split()) for name, said in _ENTRY.findall(attributes)}
    return {name: said.replace("``", "`") for name, said in found.items()}


def _default(kind: type[BaseModel], name: str) -> str:
    value = kind.model_fields[name].default
    if value is PydanticUndefined:
        return "required"
    return "" if value is None else f"`{_toml(value)}`"


def _toml(value: object) -> str:
    """Return a default as a policy's file would spell it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else f"{value:g}"


def _range(schema: dict[str, Any]) -> str:
    """Return what a field may hold, of its JSON schema."""
    if "enum" in schema:
        return " or ".join(f"`{word}`" for word in schema["enum"])
    ends = {
        "minimum": "≥",
        "exclusiveMinimum": ">",
        "maximum": "≤",
        "exclusiveMaximum": "<",
    }
    return ", ".join(f"{sign} {schema[k]:g}" for k, sign in ends.items() if k in schema)
