"""Texts of policies for tests: few pictures of each kind, in few steps."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

Values = Mapping[str, str | bool | int | float]

FEW: Final[Values] = {
    "erased": 1,
    "renamed": 0,
    "family": 0,
    "alike": 0,
    "kept": 1,
    "kept_share": 0.1,
    "information": 0,
}
"""One picture of each cell with the concept, and of a tenth of the others."""

ONE_STEP: Final[Values] = {"steps": 1, "guidance": 1.0}

ANY_BASE: Final[Values] = {"base_presence": 0.0}
"""For a base that does not show what it is asked for."""


def policy_text(
    name: str,
    eraser: str | Values,
    *,
    judge: str = "auto",
    sampling: Values = ONE_STEP,
    probes: Values | None = None,
    **sections: Values,
) -> str:
    """Return the text of a policy.

    Args:
        name: The policy's name.
        eraser: The eraser's name, or its settings with the name.
        judge: The judge.
        sampling: Settings of the sampler.
        probes: Numbers of pictures other than the few.
        sections: Further sections, by name.
    """
    told = {"name": eraser} if isinstance(eraser, str) else eraser
    pictures = {**FEW, **(probes or {})}
    parts = {"eraser": told, "sampling": sampling, "probes": pictures, **sections}
    lines = _lines({"name": name, "judge": judge})
    for title, values in parts.items():
        lines += [f"[{title}]", *_lines(values)]
    return "\n".join([*lines, ""])


def _lines(values: Values) -> list[str]:
    return [f"{key} = {json.dumps(value)}" for key, value in values.items()]
