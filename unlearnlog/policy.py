"""A policy: which eraser, which probes, and what must hold before anything is recorded.

Policies come from strangers, so every key and every type is checked, and an error names
the file, the key and what would be allowed.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

from pydantic import Field, ValidationError, model_validator

from unlearnlog.digest import Record
from unlearnlog.errors import PolicyError
from unlearnlog.reading import Reading
from unlearnlog.resources import policy_folder

if TYPE_CHECKING:
    from unlearnlog.erasers import Eraser

_Count = Annotated[int, Field(ge=1, le=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]


class SamplingSettings(Record):
    """How pictures are painted: solver steps and guidance scale."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 10
    guidance: Annotated[float, Field(ge=0, le=50)] = 3.0


class ProbeSettings(Record):
    """How many pictures the probes look at.

    Attributes:
        erased: Of each cell that shows the concept.
        kept: Of every other cell.
        earlier: Of each cell of a concept that was erased before.
        information: On which nats are read.
    """

    erased: _Count = 6
    kept: _Count = 1
    earlier: _Count = 2
    information: _Count = 32


class Requirements(Record):
    """What must hold before an erasure is tried.

    Attributes:
        base_presence: Share of its own prompts in which the base must paint a concept.
    """

    base_presence: _Share = 0.5


class Limit(Record):
    """A bound on one reading.

    Attributes:
        reading: The probe's name.
        at_least: Smallest value that passes.
        at_most: Largest value that passes.
        of_base: Whether the bound is a multiple of the base's own reading.
    """

    reading: Annotated[str, Field(min_length=1)]
    at_least: float | None = None
    at_most: float | None = None
    of_base: bool = False

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            message = f"limit on '{self.reading}' has neither at_least nor at_most"
            raise ValueError(message)
        return self

    def failure(self, reading: Reading) -> str | None:
        """Return what a reading fails at, or None."""
        scale = reading.base if self.of_base else 1.0
        if scale is None:
            return f"{self.reading} has no base to be compared with"
        of_base = " of base" if self.of_base else ""
        what = f"{reading.probe} of {reading.concept} is {reading.value:.3f}"
        if self.at_least is not None and reading.value < self.at_least * scale:
            return f"{what}, must be at least {self.at_least:g}{of_base}"
        if self.at_most is not None and reading.value > self.at_most * scale:
            return f"{what}, must be at most {self.at_most:g}{of_base}"
        return None


@dataclass(frozen=True)
class Verdict:
    """What a policy says of readings.

    Attributes:
        passed: Whether every limit held.
        failures: What did not hold, one sentence each.
    """

    passed: bool
    failures: tuple[str, ...]


class Policy(Record):
    """What is used and what must hold.

    Attributes:
        name: What entries call it.
        eraser: The eraser's name and the settings that differ from its own defaults.
        sampling: How pictures are painted.
        probes: How many of them.
        require: What must hold before an erasure is tried.
        limits: What must hold after it.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    eraser: dict[str, str | bool | int | float]
    sampling: SamplingSettings = SamplingSettings()
    probes: ProbeSettings = ProbeSettings()
    require: Requirements = Requirements()
    limits: tuple[Limit, ...] = ()

    @classmethod
    def load(cls, name: str) -> Policy:
        """Read a policy by the name of one that ships, or by a path to a TOML file.

        Raises:
            PolicyError: There is none, or something in it is wrong.
        """
        path = Path(name)
        if path.suffix != ".toml":
            path = policy_folder() / f"{name}.toml"
        try:
            data = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            known = ", ".join(sorted(p.stem for p in policy_folder().glob("*.toml")))
            raise PolicyError(
                f"there is no policy '{name}'",
                fix=f"known: {known}; or give the path of a .toml file",
            ) from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, OSError) as error:
            raise PolicyError(
                f"the policy '{name}' cannot be read: {error}",
                fix=f"compare it with {policy_folder() / 'default.toml'}",
            ) from error
        return cls.of(data, name)

    @classmethod
    def of(cls, data: dict[str, Any], name: str) -> Policy:
        """Check a policy's data.

        Raises:
            PolicyError: A key is unknown, or a value has a wrong type or size.
        """
        try:
            policy = cls.model_validate(data, strict=False)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the file"
            given = f", not {first['input']!r}" if first["type"] != "missing" else ""
            raise PolicyError(
                f"the policy '{name}' is wrong at {place}: {first['msg']}{given}",
                fix=f"compare it with {policy_folder() / 'default.toml'}",
            ) from error
        return policy

    def judge(self, readings: Iterable[Reading]) -> Verdict:
        """Compare readings with the limits; a limit without a reading is left alone."""
        found = list(readings)
        failures = [
            failure
            for limit in self.limits
            for reading in found
            if reading.probe == limit.reading
            and (failure := limit.failure(reading)) is not None
        ]
        return Verdict(not failures, tuple(failures))

    def chosen_eraser(self) -> Eraser:
        """Make the eraser with the policy's settings.

        Raises:
            PolicyError: There is no such eraser or setting, or a value is of no use.
        """
        from unlearnlog.erasers import eraser_called

        settings = {key: value for key, value in self.eraser.items() if key != "name"}
        kind = eraser_called(str(self.eraser.get("name", "")))
        known = kind.__dataclass_fields__
        for key in settings:
            if key not in known:
                raise PolicyError(
                    f"the eraser '{kind.name}' has no setting '{key}'",
                    fix=f"known: {', '.join(known)}",
                )
        return kind.of(settings)
