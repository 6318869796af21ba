"""The record of an eraser with all of its settings."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from unlearnlog.core.digest import Record, is_exact

Scalar = str | bool | int | float | None
Setting = Scalar | tuple[Scalar, ...]
"""A setting's value. A whole float such as 1.0 comes back from disk as 1."""


class EraserRecord(Record):
    """The eraser's registered name and every one of its settings."""

    name: Annotated[str, Field(min_length=1)]
    settings: dict[str, Setting] = Field(default_factory=dict)

    @field_validator("settings")
    @classmethod
    def _are_exact_in_json(cls, settings: dict[str, Setting]) -> dict[str, Setting]:
        if "name" in settings:
            message = "a setting cannot be called 'name': that is the eraser's own"
            raise ValueError(message)
        for key, value in settings.items():
            for one in value if isinstance(value, tuple) else (value,):
                if isinstance(one, int | float) and not is_exact(one):
                    message = f"setting {key} = {one} is not exact in JSON"
                    raise ValueError(message)
        return settings
