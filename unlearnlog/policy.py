"""A policy: which eraser, which probes, and what must hold before anything is recorded.

Policies come from strangers, so every key and every type is checked, and an error names
the file, the key and what would be allowed.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from math import inf
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, Self

from pydantic import (
    BaseModel,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic_core import PydanticCustomError

from unlearnlog.digest import Record
from unlearnlog.errors import PolicyError
from unlearnlog.knobs import check_eraser
from unlearnlog.meanings import MEANINGS, range_of
from unlearnlog.reading import Reading
from unlearnlog.resources import policy_folder
from unlearnlog.suggest import advice, hint

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from unlearnlog.erasers import Eraser
    from unlearnlog.model.protocol import Sampling

_Count = Annotated[int, Field(ge=1, le=1000)]
_Perhaps = Annotated[int, Field(ge=0, le=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]


RECORDED: Final = "recorded"
"""Context of a policy that an entry holds: it was judged by it, whatever it says."""

N_LEAST: Final = 92
"""A share of fewer pictures is known to no better than ten points: it only screens."""


class SamplingSettings(Record):
    """How pictures are painted: solver steps and guidance scale."""

    steps: Annotated[int, Field(ge=1, le=1000)] = 10
    guidance: Annotated[float, Field(ge=0, le=50)] = 3.0


class ProbeSettings(Record):
    """How many pictures the probes look at.

    Attributes:
        erased: Of each cell that shows the concept.
        renamed: Of each such cell, asked for by the concept's other names.
        family: Of each prompt that names only the concept's family.
        alike: Of each cell that shows a look-alike of the concept.
        kept: Of every other cell.
        kept_share: Share of these cells that are looked at, the same ones each time:
            there are as many as styles times subjects.
        earlier: Of each cell of a concept that was erased before.
        information: On which nats are read, in all; 0 for none.
        nodes: Of every concept of the graph, to see how far each has moved; 0 for none.
        distance: Kept pictures whose distance to the base's is taken; 0 for none.
        attacks: For each attack on an earlier concept that the ledger keeps: so many
            pictures with it on the new state; 0 for none.
    """

    erased: _Count = 6
    renamed: _Perhaps = 2
    family: _Perhaps = 4
    alike: _Perhaps = 6
    kept: _Count = 1
    kept_share: Annotated[float, Field(gt=0, le=1)] = 1.0
    earlier: _Count = 2
    information: _Perhaps = 16
    nodes: _Perhaps = 0
    distance: Annotated[int, Field(ge=0, le=100_000)] = 0
    attacks: _Perhaps = 0


class Requirements(Record):
    """What must hold before an erasure is tried.

    Attributes:
        base_presence: Share of its own prompts in which the base must paint a concept.
    """

    base_presence: _Share = 0.5


class ExportSettings(Record):
    """What must be left of an erasure in another form.

    Attributes:
        fidelity: Share of what is gone, and of what is kept, that must still be so.
    """

    fidelity: _Share = 0.98


class AuditSettings(Record):
    """What an audit of somebody's model asks.

    Attributes:
        margin: The largest return of an erased concept that still counts as none.
        false_alarms: The largest share of pictures of other things in which a judge
            may see an erased concept and still be believed.
        closer: Pictures of each cell where the usual number decides nothing.
    """

    margin: Annotated[float, Field(gt=0, le=1)] = 0.05
    false_alarms: _Share = 0.05
    closer: _Count = 24


@dataclass(frozen=True)
class Verdict:
    """What a policy says of readings.

    Attributes:
        failures: What did not hold, one sentence each.
        undecided: What nobody knows: a reading that is missing, or too few pictures.
        screens: The readings of too few pictures that a closer look would decide.
    """

    failures: tuple[str, ...] = ()
    undecided: tuple[str, ...] = ()
    screens: tuple[Reading, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every limit held, each on enough pictures."""
        return not self.failures and not self.undecided

    def __add__(self, other: Verdict) -> Verdict:
        """Put what two limits say together."""
        return Verdict(
            self.failures + other.failures,
            self.undecided + other.undecided,
            self.screens + other.screens,
        )


def _useless(what: str, fix: str) -> PydanticCustomError:
    """Return what is wrong with a limit, with what to do about it."""
    # The text is a template to pydantic, and quotes what a stranger wrote.
    return PydanticCustomError("limit", "{what}", {"what": what, "fix": fix})


def _such_as(bound: float, high: float) -> float:
    """Return a bound that somebody may have meant: of 90 percent, 0.9."""
    return bound / 100 if 0 <= bound / 100 <= high else 0.0


class Limit(Record):
    """A bound on every reading of one probe that it makes sense for.

    ``at_least`` is not asked of a reading where lower is better, nor ``at_most`` of one
    where higher is: ``presence`` holds the erased concept down and the kept ones up.

    Attributes:
        reading: The probe's name.
        at_least: Smallest value that passes.
        at_most: Largest value that passes.
        of_base: Whether the bound is a multiple of the base's own reading.
        on: What must hold: the reading's ``value``, or its whole ``interval``.
        optional: Whether it may go unread, as ``lands.subject`` does when a subject is
            erased.
    """

    reading: Annotated[str, Field(min_length=1)]
    at_least: float | None = None
    at_most: float | None = None
    of_base: bool = False
    on: Literal["value", "interval"] = "value"
    optional: bool = False

    @model_validator(mode="after")
    def _bounds_something(self, info: ValidationInfo) -> Self:
        if self.at_least is None and self.at_most is None:
            message = f"the limit on '{self.reading}' has neither at_least nor at_most"
            raise ValueError(message)
        if info.context is not RECORDED:
            self._check_reading()
            self._check_bounds()
        return self

    def _check_reading(self) -> None:
        """Refuse a reading that no probe has, or one that it could not bound."""
        if self.reading not in MEANINGS:
            raise _useless(
                f"no probe reads '{self.reading}'",
                advice(self.reading, MEANINGS, most=len(MEANINGS)),
            )
        way = MEANINGS[self.reading].better
        asked = {"lower": self.at_most, "higher": self.at_least}
        if way != "either" and asked[way] is None:
            bound = "at_most" if way == "lower" else "at_least"
            raise _useless(
                f"the limit on '{self.reading}' bounds nothing: {way} is better",
                f"give it {bound}",
            )

    def _check_bounds(self) -> None:
        """Refuse a bound that every value is within, or none."""
        low, high = range_of(self.reading, of_base=self.of_base)
        for name in ("at_least", "at_most"):
            bound = getattr(self, name)
            if bound is not None and not low <= bound <= high:
                unit = MEANINGS[self.reading].unit
                what = "a multiple of the base's" if self.of_base else f"a {unit}"
                reach = f"{low:g} or more" if high == inf else f"{low:g} to {high:g}"
                raise _useless(
                    f"the limit on '{self.reading}' has {name} = {bound:g}, "
                    f"but it is {what}",
                    f"give {reach}, such as {name} = {_such_as(bound, high):g}",
                )

    @property
    def text(self) -> str:
        """What it asks for, in words."""
        least, most = self.at_least, self.at_most
        asks = [] if least is None else [f"at least {least:g}"]
        asks += [] if most is None else [f"at most {most:g}"]
        text = f"{self.reading} {' and '.join(asks)}"
        text += " of base" if self.of_base else ""
        text += ", whole interval" if self.on == "interval" else ""
        return text + (", where it is read" if self.optional else "")

    def verdict(self, readings: Iterable[Reading]) -> Verdict:
        """Compare every reading that it bounds.

        A share of fewer than `N_LEAST` pictures that breaks the limit decides nothing,
        unless its whole interval does: that is a failure, whatever its n. Nor does one
        decide that a concept is gone, unless its whole interval says so.
        """
        bounded = [reading for reading in readings if self.bounds(reading)]
        if not bounded and not self.optional:
            return Verdict(undecided=(f"there is no reading of {self.reading}",))
        return sum(map(self._of, bounded), Verdict())

    def bound(self, reading: Reading) -> tuple[float | None, float | None]:
        """Return the least and the most that a reading may be, in its own unit.

        None for an end that is not asked of it, and for both where the base that the
        bound is a share of was not read.
        """
        scale = reading.base if self.of_base else 1.0
        if scale is None or not self.bounds(reading):
            return None, None
        least = self.at_least if reading.better != "lower" else None
        most = self.at_most if reading.better != "higher" else None
        return (
            None if least is None else least * scale,
            None if most is None else most * scale,
        )

    def bounds(self, reading: Reading) -> bool:
        """Whether it asks anything of a reading."""
        low = self.at_least is not None and reading.better != "lower"
        high = self.at_most is not None and reading.better != "higher"
        return reading.probe == self.reading and (low or high)

    def _of(self, reading: Reading) -> Verdict:
        if self.of_base and reading.base is None:
            return Verdict((f"{self.reading} has no base to be compared with",))
        low, high = reading.value, reading.value
        if self.on == "interval":
            low, high = reading.low, reading.high
        few = reading.unit == "share" and reading.n < N_LEAST
        if broken := self._broken(reading, low, high):
            beyond = self._broken(reading, reading.high, reading.low)
            if beyond or not few:
                return Verdict((broken,))
        elif not (few and _claims_absence(reading)):
            return Verdict()
        text = broken or self._broken(reading, reading.low, reading.high)
        if not text:
            return Verdict()
        said = f"{text}, but n is {reading.n}: a limit needs {N_LEAST}"
        return Verdict(undecided=(said,), screens=(reading,))

    def _broken(self, reading: Reading, low: float, high: float) -> str:
        """Say which bound two ends break; nothing where they hold both."""
        least, most = self.bound(reading)
        what = f"{reading.probe} of {reading.concept} is {reading.value:.3f}"
        if (low, high) != (reading.value, reading.value):
            what += f" ({reading.low:.3f} to {reading.high:.3f})"
        of_base = " of base" if self.of_base else ""
        if least is not None and low < least:
            return f"{what}, must be at least {self.at_least:g}{of_base}"
        if most is not None and high > most:
            return f"{what}, must be at most {self.at_most:g}{of_base}"
        return ""


def _claims_absence(reading: Reading) -> bool:
    """Whether a reading that holds would say that something is gone."""
    return reading.probe == "ua" or reading.better == "lower"


HARDENED: Final = {"ridge": "hardened", "hardened": "hardened"}
"""Erasers that another one goes on from, to make what they do last."""


class Policy(Record):
    """What is used and what must hold.

    Attributes:
        name: What entries call it.
        eraser: The eraser's name, a preset if there is one, and the settings that
            differ from these or from its own defaults.
        judge: Who says what pictures show: ``auto`` for the judge that ships with the
            model, or else ``base``; ``none`` for nobody; or a CLIP model's folder.
        sampling: How pictures are painted.
        probes: How many of them.
        require: What must hold before an erasure is tried.
        limits: What must hold after it.
        export: What must be left of it in another form.
        audit: What an audit of somebody's model asks.
    """

    name: Annotated[str, Field(min_length=1, max_length=80)]
    eraser: dict[str, str | bool | int | float]
    judge: Annotated[str, Field(min_length=1)] = "auto"
    sampling: SamplingSettings = SamplingSettings()
    probes: ProbeSettings = ProbeSettings()
    require: Requirements = Requirements()
    export: ExportSettings = ExportSettings()
    audit: AuditSettings = AuditSettings()
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
            known = sorted(p.stem for p in policy_folder().glob("*.toml"))
            raise PolicyError(
                f"there is no policy '{name}'",
                fix=f"{advice(name, known)}; or give the path of a .toml file",
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

    @classmethod
    def in_force(cls, name: str, rules: dict[str, Any]) -> Policy | None:
        """Return a policy as an entry holds it; None if this program cannot read it."""
        with suppress(ValidationError):
            return cls.model_validate({**rules, "name": name}, context=RECORDED)
        return None

    @property
    def rules(self) -> dict[str, Any]:
        """Everything but the name, as JSON has it: what an entry holds of a policy.

        Of a judge's folder only the name: where it lies on this machine says nothing.
        """
        rules = self.model_dump(mode="json", exclude={"name"})
        return rules | {"judge": PurePath(self.judge).name or self.judge}

    def verdict(self, readings: Iterable[Reading]) -> Verdict:
        """Compare readings with every limit."""
        found = list(readings)
        return sum((limit.verdict(found) for limit in self.limits), Verdict())

    def saying(
        self,
        *,
        judge: str = "",
        eraser: str = "",
        target: str = "",
        settings: Sequence[str] = (),
        harden: bool = False,
    ) -> Policy:
        """Return the policy with what somebody said on the command line instead.

        Another eraser starts from its own defaults: settings belong to one eraser.

        Args:
            judge: Who judges.
            eraser: Which eraser.
            target: What is painted instead.
            settings: More settings of the eraser, each ``name=value``.
            harden: Whether what was solved is trained to last through fine-tunes.

        Raises:
            PolicyError: A setting has no name or no value, or what the eraser does
                cannot be hardened.
        """
        chosen = dict(self.eraser)
        if eraser and eraser != chosen.get("name"):
            chosen = {"name": eraser}
        if harden:
            chosen["name"] = _hardened(str(chosen.get("name", "")))
        if target:
            chosen["target"] = target
        chosen |= dict(_setting(said) for said in settings)
        return self.model_copy(update={"eraser": chosen, "judge": judge or self.judge})

    def painting(self) -> Sampling:
        """How pictures are painted, as the model wants to be told."""
        from unlearnlog.model.protocol import Sampling

        return Sampling(self.sampling.steps, self.sampling.guidance)

    def check_eraser(self) -> None:
        """Refuse an eraser that cannot be made, as far as a table knows.

        Raises:
            PolicyError: As `chosen_eraser` does, without loading the methods.
        """
        check_eraser(self.eraser)

    def chosen_eraser(self, slots: Collection[str] = ()) -> Eraser:
        """Make the eraser with the policy's settings.

        Args:
            slots: Whether styles or subjects are erased: a preset may tell them apart.

        Raises:
            PolicyError: There is no such eraser or setting, or a value is of no use.
        """
        from unlearnlog.erasers import eraser_of

        return eraser_of(self.eraser, slots)


def _setting(said: str) -> tuple[str, str | bool | int | float]:
    """Read ``name=value``; a value that is no number and no truth is a word."""
    name, equals, text = said.partition("=")
    name, text = name.strip(), text.strip()
    if not (equals and name and text) or name == "name":
        raise PolicyError(
            f"the setting '{said}' is not a name and a value",
            fix="write one such as erase_scale=3; unlearnlog erasers lists them",
        )
    if text in ("true", "false"):
        return name, text == "true"
    for number in (int, float):
        with suppress(ValueError):
            return name, number(text)
    return name, text


_SECTIONS: Final[Mapping[str, type[BaseModel]]] = {
    "sampling": SamplingSettings,
    "probes": ProbeSettings,
    "require": Requirements,
    "export": ExportSettings,
    "audit": AuditSettings,
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
            key, fields = str(loc[-1]), section.model_fields
            fix = f"{hint(key, fields)}known there: {', '.join(fields)}"
        case "missing":
            what = "it is missing"
        case "limit":
            what, fix = error["ctx"]["what"], error["ctx"]["fix"]
        case "value_error":
            what = error["msg"].removeprefix("Value error, ")
        case _ if loc[:1] == ("eraser",):
            what = f"a setting is a text, a number, true or false, {_given(error)}"
        case _:
            what = f"{error['msg']}, {_given(error)}"
    return PolicyError(f"the policy '{name}' is wrong at {place}: {what}", fix=fix)


def _given(error: ErrorDetails) -> str:
    return f"not {reprlib.repr(error['input'])}"


def _hardened(eraser: str) -> str:
    """Return the eraser that trains on from where another one ends."""
    if eraser not in HARDENED:
        raise PolicyError(
            f"the eraser '{eraser}' cannot be hardened",
            fix="say --eraser ridge: hardening goes on from where that one ends",
        )
    return HARDENED[eraser]
