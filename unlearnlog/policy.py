"""Policies: the eraser, the judge, the probes and the limits of an erasure.

A policy file is untrusted input: every key and every type is checked, and an error
gives the file, the key and the allowed values.
"""

from __future__ import annotations

import reprlib
import tomllib
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from types import MappingProxyType
from typing import TYPE_CHECKING, Annotated, Any, Final, Self

from pydantic import BaseModel, Field, ValidationError, ValidationInfo, model_validator

from unlearnlog.core.digest import Record
from unlearnlog.core.limits import RECORDED, Limit, Verdict
from unlearnlog.core.plain_files import fix_of, text_of
from unlearnlog.core.reading import Reading
from unlearnlog.core.resources import policy_folder
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.core.visible import escaped
from unlearnlog.erasers.setting_table import check_eraser
from unlearnlog.errors import PolicyError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

    from unlearnlog.concepts.prompt_file import PromptFile
    from unlearnlog.erasers.eraser_table import Eraser
    from unlearnlog.models.interface import Sampling

_LONGEST: Final = 2**20
"""Bytes of a policy's file, at most."""

_Count = Annotated[int, Field(ge=1, le=1000)]
_Perhaps = Annotated[int, Field(ge=0, le=1000)]
_Share = Annotated[float, Field(ge=0, le=1)]


BATCH: Final = 32
"""Pictures painted at once where a policy sets no number."""


class SamplingSettings(Record):
    """How pictures are painted.

    Attributes:
        steps: Of the solver, for each picture.
        guidance: Scale of the guidance away from the empty prompt's prediction.
        batch: Pictures painted at once; fewer need less memory. The last bits of a
            picture depend on it.
    """

    steps: Annotated[int, Field(ge=1, le=1000)] = 10
    guidance: Annotated[float, Field(ge=0, le=50)] = 3.0
    batch: Annotated[int, Field(ge=1, le=1024)] = BATCH


class ProbeSettings(Record):
    """Numbers of pictures that the probes paint.

    Attributes:
        erased: For each cell with the concept.
        renamed: For each such cell, with the concept's aliases in the prompt.
        family: For each prompt that names only the concept's family.
        alike: For each cell with a look-alike of the concept.
        kept: For each other cell.
        kept_share: Share of these cells that are painted, the same ones each time:
            there are as many as styles times subjects.
        earlier: For each cell of a concept that was erased before.
        information: Pictures for the nats, in all; 0 for none.
        nodes: For each concept of the graph, to measure its shift; 0 for none.
        distance: Kept pictures for the distance to the base's; 0 for none.
        attacks: For each stored attack on an earlier concept, on the new state; 0 for
            none.
        prompts: A file of prompts to paint as well, relative to the policy's folder;
            empty for none.
        most: Pictures of an erased concept, of its other names, of its family and of
            its look-alikes, at most, spread over their cells; 0 for no bound. A style
            of a world with hundreds of subjects has as many cells.
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
    prompts: str = ""
    most: _Perhaps = 0


class Requirements(Record):
    """Requirements on the base before an erasure.

    Attributes:
        base_presence: Least share of a concept's pictures in which the base shows it.
    """

    base_presence: _Share = 0.5


class ExportSettings(Record):
    """Requirements on an exported erasure.

    Attributes:
        fidelity: Least share of the erasure, and of the kept concepts, that an export
            preserves.
    """

    fidelity: _Share = 0.98


class AuditSettings(Record):
    """Settings of an audit of a fine-tuned model.

    Attributes:
        margin: Largest return of an erased concept that still counts as none.
        false_alarms: Largest share of pictures of other concepts that a judge may
            assign to an erased one.
        closer: Pictures of each cell where the usual number is undecided.
    """

    margin: Annotated[float, Field(gt=0, le=1)] = 0.05
    false_alarms: _Share = 0.05
    closer: _Count = 24


HARDENED: Final = {"ridge": "hardened", "hardened": "hardened"}
"""The eraser that hardens the result of each eraser, by name."""


class Policy(Record):
    """A policy.

    Attributes:
        name: The name that entries record.
        eraser: The eraser's name, a preset if there is one, and the settings that
            differ from these or from its own defaults.
        judge: The judge of pictures: ``auto`` for the one that ships with the model,
            or else ``base``; ``none`` for no judge; or a CLIP model's folder.
        sampling: Settings of the sampler.
        probes: Numbers of pictures.
        require: Requirements on the base before an erasure.
        limits: Limits on the readings after it.
        export: Requirements on its export.
        audit: Settings of an audit.
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
        """Refuse a text with unprintable characters, which an entry would keep."""
        settings = ((f"eraser.{key}", value) for key, value in self.eraser.items())
        for place, text in (("name", self.name), ("judge", self.judge), *settings):
            unseen = isinstance(text, str) and escaped(text) != text
            if unseen and info.context is not RECORDED:
                message = f"{place} holds a character that cannot be seen: {text!a}"
                raise ValueError(message)
        return self

    @classmethod
    def load(cls, name: str) -> Policy:
        """Return the policy of a TOML file, or the one that ships under a name.

        Raises:
            PolicyError: The policy does not exist, or is not valid.
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
        found = cls.of(data, name)
        if not found.probes.prompts:
            return found
        file = str(path.parent / found.probes.prompts)
        probes = found.probes.model_copy(update={"prompts": file})
        return found.model_copy(update={"probes": probes})

    @classmethod
    def of(cls, data: dict[str, Any], name: str) -> Policy:
        """Return the policy of parsed data.

        Raises:
            PolicyError: A key is unknown, or a value has a wrong type or size.
        """
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            raise _wrong(name, error.errors()[0]) from error

    @classmethod
    def in_force(cls, name: str, rules: dict[str, Any]) -> Policy | None:
        """Return the policy of an entry; None if this program cannot read it.

        A file of prompts is left out: an entry keeps its name, and not where it was.
        """
        with suppress(ValidationError):
            found = cls.model_validate({**rules, "name": name}, context=RECORDED)
            probes = found.probes.model_copy(update={"prompts": ""})
            return found.model_copy(update={"probes": probes})
        return None

    @property
    def rules(self) -> dict[str, Any]:
        """All fields but the name as JSON, as an entry records them.

        Of a judge's folder and a file of prompts only the last part of the path. The
        batch, the prompts and the bound came later, and are recorded where they are
        others than before.
        """
        rules = self.model_dump(mode="json", exclude={"name"})
        if self.sampling.batch == BATCH:
            del rules["sampling"]["batch"]
        file = PurePath(rules["probes"].pop("prompts")).name
        if file:
            rules["probes"]["prompts"] = escaped(file)
        if not self.probes.most:
            del rules["probes"]["most"]
        return rules | {"judge": escaped(PurePath(self.judge).name or self.judge)}

    def verdict(
        self,
        readings: Iterable[Reading],
        *,
        unread_is_open: bool = True,
        unread: Mapping[str, str] = MappingProxyType({}),
    ) -> Verdict:
        """Return the verdict of all limits on readings.

        Args:
            readings: The readings.
            unread_is_open: Whether a limit without a reading is undecided; False where
                no concept is erased.
            unread: Why a reading is missing, by name, where there is a reason.
        """
        found = list(readings)
        limits = self.limits
        if not unread_is_open:
            read = {reading.probe for reading in found}
            limits = tuple(limit for limit in limits if limit.reading in read)
        verdicts = (limit.verdict(found, unread.get(limit.reading)) for limit in limits)
        return sum(verdicts, Verdict())

    def saying(
        self,
        *,
        judge: str = "",
        eraser: str = "",
        target: str = "",
        settings: Sequence[str] = (),
        harden: bool = False,
    ) -> Policy:
        """Return the policy with options of the command line.

        Another eraser starts from its own defaults: settings belong to one eraser.

        Args:
            judge: The judge.
            eraser: The eraser.
            target: The target that is painted instead.
            settings: More settings of the eraser, each ``name=value``.
            harden: Whether the erasure is trained to survive fine-tunes.

        Raises:
            PolicyError: A setting has no name or no value, or the eraser cannot be
                hardened.
        """
        chosen = dict(self.eraser)
        if eraser and eraser != chosen.get("name"):
            chosen = {"name": eraser}
        if harden:
            chosen["name"] = _hardened(str(chosen.get("name", "")))
        if target:
            chosen["target"] = target
        chosen |= dict(_setting(text) for text in settings)
        for text in (target, *settings):
            if escaped(text) != text:
                raise PolicyError(
                    f"the setting {text[:80]!a} holds a character that cannot be seen",
                    fix="type it again by hand, letters and signs only",
                )
        return self.model_copy(update={"eraser": chosen, "judge": judge or self.judge})

    def prompt_file(self) -> PromptFile | None:
        """Return the file of prompts that the policy names, or None.

        Raises:
            PromptError: It cannot be read.
        """
        from unlearnlog.concepts.prompt_file import PromptFile

        file = self.probes.prompts
        return PromptFile.read(Path(file)) if file else None

    def painting(self) -> Sampling:
        """Return the sampler's settings as the model takes them."""
        from unlearnlog.models.interface import Sampling

        how = self.sampling
        return Sampling(how.steps, how.guidance, how.batch)

    def check_eraser(self) -> None:
        """Refuse an eraser that cannot be made, without loading the methods.

        Raises:
            PolicyError: The eraser or a setting is unknown, or a value is not valid.
        """
        check_eraser(self.eraser)

    def chosen_eraser(self, slots: Collection[str] = ()) -> Eraser:
        """Return the eraser with the policy's settings.

        Args:
            slots: Slots of the erased concepts: a preset may depend on them.

        Raises:
            PolicyError: The eraser or a setting is unknown, or a value is not valid.
        """
        from unlearnlog.erasers.eraser_table import eraser_of

        return eraser_of(self.eraser, slots)


def _setting(setting: str) -> tuple[str, str | bool | int | float]:
    """Parse ``name=value``; a value that is no number and no bool is a string."""
    name, equals, text = setting.partition("=")
    name, text = name.strip(), text.strip()
    if not (equals and name and text) or name == "name":
        raise PolicyError(
            f"the setting '{setting}' is not a name and a value",
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
    """Return the error for the first fault of a policy."""
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
    """Return the eraser that hardens the result of another one."""
    if eraser not in HARDENED:
        raise PolicyError(
            f"the eraser '{eraser}' cannot be hardened",
            fix="type --eraser ridge: hardening continues from its result",
        )
    return HARDENED[eraser]
