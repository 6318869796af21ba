"""A policy: which eraser, which probes, and what must hold before anything is recorded.

Policies come from strangers, so every key and every type is checked, and an error names
the file, the key and what would be allowed.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, model_validator

from unlearnlog.core.digest import Record
from unlearnlog.core.limits import RECORDED, Limit, Verdict
from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.core.reading import Reading
from unlearnlog.core.resources import policy_folder
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.core.visible import visible
from unlearnlog.erasers.setting_table import check_eraser
from unlearnlog.errors import PolicyError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from unlearnlog.erasers.eraser_table import Eraser
    from unlearnlog.models.interface import Sampling

_LONGEST: Final = 2**20
"""Bytes of a policy's file, at most."""

_Count = Annotated[int, Field(ge=1, le=1000)]
_Perhaps = Annotated[int, Field(ge=0, le=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]


class SamplingSettings(Record):
    """How pictures are painted.

    Attributes:
        steps: Of the solver, for each picture.
        guidance: Scale of the guidance away from the empty prompt's prediction.
    """

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

    @model_validator(mode="after")
    def _can_be_seen(self, info: ValidationInfo) -> Self:
        """Refuse a text that would be shown for ever and cannot be seen."""
        settings = ((f"eraser.{key}", value) for key, value in self.eraser.items())
        for place, text in (("name", self.name), ("judge", self.judge), *settings):
            unseen = isinstance(text, str) and visible(text) != text
            if unseen and info.context is not RECORDED:
                message = f"{place} holds a character that cannot be seen: {text!a}"
                raise ValueError(message)
        return self

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
            data = tomllib.loads(text_of(path, most=_LONGEST))
        except FileNotFoundError as error:
            known = sorted(p.stem for p in policy_folder().glob("*.toml"))
            raise PolicyError(
                f"there is no policy '{name}'",
                fix=f"{advice(name, known)}; or give the path of a .toml file",
            ) from error
        except (ValueError, OSError, RecursionError) as error:  # bad TOML, bad path
            raise PolicyError(
                f"the policy '{name}' cannot be read: {error}",
                fix=fix_of(error, f"compare it with {policy_folder()}/default.toml"),
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
        return rules | {"judge": visible(PurePath(self.judge).name or self.judge)}

    def verdict(
        self, readings: Iterable[Reading], *, unread_is_open: bool = True
    ) -> Verdict:
        """Compare readings with every limit.

        Args:
            readings: What was read.
            unread_is_open: Whether a limit without a reading is undecided; not where
                nothing was erased to read of.
        """
        found = list(readings)
        limits = self.limits
        if not unread_is_open:
            seen = {reading.probe for reading in found}
            limits = tuple(limit for limit in limits if limit.reading in seen)
        return sum((limit.verdict(found) for limit in limits), Verdict())

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
        for text in (target, *settings):
            if visible(text) != text:
                raise PolicyError(
                    f"the setting {text[:80]!a} holds a character that cannot be seen",
                    fix="type it again by hand, letters and signs only",
                )
        return self.model_copy(update={"eraser": chosen, "judge": judge or self.judge})

    def painting(self) -> Sampling:
        """How pictures are painted, as the model wants to be told."""
        from unlearnlog.models.interface import Sampling

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
        from unlearnlog.erasers.eraser_table import eraser_of

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
