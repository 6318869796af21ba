"""A policy: which eraser, which probes, and what must hold before anything is recorded.

Policies come from strangers, so every key and every type is checked, and an error names
the file, the key and what would be allowed.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from unlearnlog.digest import Record
from unlearnlog.errors import PolicyError
from unlearnlog.reading import Reading
from unlearnlog.resources import policy_folder

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

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
    """A bound on every reading of one probe that it makes sense for.

    ``at_least`` is not asked of a reading where lower is better, nor ``at_most`` of one
    where higher is: ``presence`` holds the erased concept down and the kept ones up.

    Attributes:
        reading: The probe's name.
        at_least: Smallest value that passes.
        at_most: Largest value that passes.
        of_base: Whether the bound is a multiple of the base's own reading.
        optional: Whether it may go unread, as ``lands.subject`` does when a subject is
            erased.
    """

    reading: Annotated[str, Field(min_length=1)]
    at_least: float | None = None
    at_most: float | None = None
    of_base: bool = False
    optional: bool = False

    @model_validator(mode="after")
    def _bounds_something(self) -> Self:
        if self.at_least is None and self.at_most is None:
            message = f"the limit on '{self.reading}' has neither at_least nor at_most"
            raise ValueError(message)
        return self

    def failures(self, readings: Iterable[Reading]) -> list[str]:
        """Return what its readings fail at; being there is the first thing they can."""
        bounded = [reading for reading in readings if self._bounds(reading)]
        if not bounded and not self.optional:
            return [f"undecided: there is no reading of {self.reading}"]
        found = [self._failure(reading) for reading in bounded]
        return [failure for failure in found if failure is not None]

    def _bounds(self, reading: Reading) -> bool:
        low = self.at_least is not None and reading.better != "lower"
        high = self.at_most is not None and reading.better != "higher"
        return reading.probe == self.reading and (low or high)

    def _failure(self, reading: Reading) -> str | None:
        scale = reading.base if self.of_base else 1.0
        if scale is None:
            return f"{self.reading} has no base to be compared with"
        of_base = " of base" if self.of_base else ""
        what = f"{reading.probe} of {reading.concept} is {reading.value:.3f}"
        low = self.at_least if reading.better != "lower" else None
        high = self.at_most if reading.better != "higher" else None
        if low is not None and reading.value < low * scale:
            return f"{what}, must be at least {low:g}{of_base}"
        if high is not None and reading.value > high * scale:
            return f"{what}, must be at most {high:g}{of_base}"
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
    # TOML has arrays and no tuples; what stands inside is checked as strictly.
    limits: Annotated[tuple[Limit, ...], Field(strict=False)] = ()

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
        except (ValueError, OSError, RecursionError) as error:  # bad TOML, bad path
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
            return cls.model_validate(data)
        except ValidationError as error:
            raise _wrong(name, error.errors()[0]) from error

    def judge(self, readings: Iterable[Reading]) -> Verdict:
        """Compare readings with the limits; a limit that nothing was read for fails."""
        found = list(readings)
        failures = [each for limit in self.limits for each in limit.failures(found)]
        return Verdict(not failures, tuple(failures))

    def chosen_eraser(self) -> Eraser:
        """Make the eraser with the policy's settings.

        Raises:
            PolicyError: There is no such eraser or setting, or a value is of no use.
        """
        from unlearnlog.erasers import eraser_called

        settings = {key: value for key, value in self.eraser.items() if key != "name"}
        kind = eraser_called(str(self.eraser.get("name", "")))
        known = [each.name for each in fields(kind)]
        for key in settings:
            if key not in known:
                raise PolicyError(
                    f"the eraser '{kind.name}' has no setting '{key}'",
                    fix=f"known: {', '.join(known)}",
                )
        return kind.of(settings)


_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "sampling": SamplingSettings,
    "probes": ProbeSettings,
    "require": Requirements,
    "limits": Limit,
}


def _wrong(name: str, error: ErrorDetails) -> PolicyError:
    """Return what to tell the writer of a policy about its first fault."""
    loc = error["loc"][:2] if error["loc"][:1] == ("eraser",) else error["loc"]
    place = ".".join(str(part) for part in loc) or "the file"
    fix = f"compare it with {policy_folder() / 'default.toml'}"
    match error["type"]:
        case "extra_forbidden":
            what = "there is no such key"
            section = _SECTIONS.get(str(loc[0]), Policy) if len(loc) > 1 else Policy
            fix = f"known there: {', '.join(section.model_fields)}"
        case "missing":
            what = "it is missing"
        case "value_error":
            what = error["msg"].removeprefix("Value error, ")
        case _ if loc[:1] == ("eraser",):
            what = f"a setting is a text, a number, true or false, {_given(error)}"
        case _:
            what = f"{error['msg']}, {_given(error)}"
    return PolicyError(f"the policy '{name}' is wrong at {place}: {what}", fix=fix)


def _given(error: ErrorDetails) -> str:
    return f"not {reprlib.repr(error['input'])}"
