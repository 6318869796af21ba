"""The interface of an eraser: its request, its settings, the amount of its work."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar, Self

from torch import Tensor

from unlearnlog.core.delta import Delta, Weights
from unlearnlog.core.limits import MANY
from unlearnlog.core.progress import NoProgress, Progress
from unlearnlog.core.prompt import Prompt, Target
from unlearnlog.core.ranks import OneProcess, Ranks
from unlearnlog.core.suggestions import advice, hint
from unlearnlog.core.work_cache import NoTensorCache, TensorCache
from unlearnlog.erasers.row_alignment import ReadPrompt
from unlearnlog.erasers.setting_table import check_type
from unlearnlog.errors import PolicyError, TrainingError
from unlearnlog.models.interface import Model, Place, PromptRows, Sampling


@contextmanager
def fits(what: str, fix: str) -> Iterator[None]:
    """Turn the refusal of a change that no ledger can store into an error with a fix.

    Args:
        what: The eraser or the projection that the change belongs to, for the message.
        fix: What to do about it.

    Raises:
        TrainingError: The change is too large, or not finite.
    """
    try:
        yield
    except ValueError as error:
        raise TrainingError(
            f"the change by {what} cannot be stored: {error}",
            fix=fix,
        ) from error


Scalar = str | bool | int | float


@dataclass(frozen=True)
class Request:
    """One erasure, of one concept or of several at once.

    Attributes:
        model: The base; nothing changes it.
        old: Every text projection as the ledger's head has it, in the base's dtype.
        forget: For each concept the prompts that name it, with what remains of each
            without it.
        keep: Prompts whose pictures must not change. What was erased before is among
            them, as the head has it.
        sampling: How the base paints the forget set.
        seed: Seed of every random number.
        watch: Progress of the work.
        families: For each concept that has one, prompts that name only its family, each
            with a prompt of what stays: "a cubist cat", "a painting of a cat by
            Braque"; with itself where its meaning is to stay.
        shelf: Cache of painted pictures and encoded prompts, so that stopped work
            resumes.
        names: The concepts' names, for messages; as many as ``forget`` has parts.
        stay: Those of ``keep`` that name nothing that is erased, so that the base's own
            pictures of them may be learnt from; empty for all of ``keep``.
        bank: Prompts of which ``keep`` is a part, the same whatever is erased, so that
            encoding them once is enough; empty for ``keep`` itself.
        others: Names of the concepts in ``keep``, for methods that take names instead
            of prompts.
        place: The place of the projections in ``old``; None for several.
        fixed: Tensors that differ from the base's and do not change.
        ranks: The processes that may share a training.
    """

    model: Model
    old: Weights
    forget: tuple[tuple[Prompt, ...], ...]
    keep: tuple[str, ...]
    sampling: Sampling
    seed: int
    watch: Progress = field(default_factory=NoProgress)
    families: tuple[tuple[tuple[str, str], ...], ...] = ()
    shelf: TensorCache = field(default_factory=NoTensorCache)
    names: tuple[str, ...] = ()
    stay: tuple[str, ...] = ()
    bank: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    ranks: Ranks = field(default_factory=OneProcess)
    place: Place | None = None
    fixed: Weights = field(default_factory=dict)

    def read(self, prompts: Sequence[str]) -> Tensor:
        """Return what the matrices of ``place`` read of prompts, ``[n, length, d]``.

        Float32; for no place it is the encoded prompts themselves.
        """
        text = self.model.encode(prompts)
        return (
            text.tokens if self.place is None else self.model.read_by(text, self.place)
        )

    def rows_at(self, said: Sequence[tuple[str, int]]) -> Tensor:
        """Return one row of each text that CLIP encodes, float32 ``[n, d]``."""
        texts, places = zip(*said, strict=True)
        return self.model.rows_at(texts, places)

    @property
    def reads_beginnings(self) -> bool:
        """Whether single rows are computed of the tokens up to them alone.

        So they are of CLIP alone, where many are erased: of few it saves little.
        """
        if self.place not in {None, "cross-attention"}:
            return False
        return len(self.forget) > MANY and self.model.tokenized("") is None

    def reading(self, prompt: str) -> ReadPrompt | None:
        """Return which row of a prompt stands for what.

        None for CLIP alone, where it follows from the number of tokens.
        """
        if self.place == "pooled":
            whole = PromptRows(((0, max(1, len(prompt))),), (False,))
            return ReadPrompt.of(prompt, whole, None)
        rows = self.model.tokenized(prompt)
        if rows is None:
            return None
        mask = self.model.encode([prompt]).whole_mask
        return ReadPrompt.of(prompt, rows, None if mask is None else mask[0].tolist())

    def with_fixed(self, new: Weights) -> Weights:
        """Return these weights with those that differ from the base and stay so."""
        return {**self.fixed, **new} if self.fixed else new

    def name(self, i: int) -> str:
        """Return the name of the concept of the i-th part of ``forget``."""
        return self.names[i] if i < len(self.names) else f"concept {i + 1}"


@dataclass(frozen=True)
class Work:
    """The amount of work of an erasure.

    Attributes:
        pictures: Pictures that the base paints for it.
        steps: Training steps, at most.
    """

    pictures: int
    steps: int


@dataclass(frozen=True)
class Eraser(ABC):
    """A method of erasure; its fields are its settings.

    Attributes:
        name: What the user types and an entry records.
        source: A link to the paper of the method.
        joint: Whether its delta is a function of the set of concepts alone, solved
            from the base; see `unlearnlog.commands.joint_set`.
        needs: What it uses beside the concept's prompts and their targets.
        touches: The part of the model that it changes by default.
        knob: The setting that says how strongly it erases; more of it erases more.
        may_be_zero: Settings that need not be above zero.
        before: Settings that came later than the eraser, with what they are where an
            older entry does not have them.
        target: What the erased prompts are made to paint instead.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    joint: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    touches: ClassVar[str] = "keys and values"
    knob: ClassVar[str] = ""
    may_be_zero: ClassVar[tuple[str, ...]] = ()
    before: ClassVar[Mapping[str, Scalar]] = {}

    target: Target

    @abstractmethod
    def erase(self, request: Request) -> Delta:
        """Return the change that makes the model forget; change nothing.

        Raises:
            TrainingError: The method did not converge.
        """

    @abstractmethod
    def work(self, n_concepts: int) -> Work:
        """Return the amount of work for this many concepts at once."""

    @abstractmethod
    def rehearsal(self) -> tuple[Self, Work]:
        """Return the eraser cut down to what is enough to time a step, and its work."""

    def on(self, model: Model) -> Self:  # noqa: ARG002 - for those that can choose
        """Return the eraser with the place of its change settled for a model.

        Raises:
            PolicyError: It cannot change what it is set to, or the model has no such
                place.
        """
        return self

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Self:
        """Return the eraser with these settings and its defaults for all others.

        Raises:
            PolicyError: There is no such setting, or a value is of another type than
                the setting's default, or not finite.
        """
        defaults = {each.name: each.default for each in fields(cls)}
        for key, value in settings.items():
            if key not in defaults:
                raise PolicyError(
                    f"the eraser '{cls.name}' has no setting '{key}'",
                    fix=advice(key, defaults, most=len(defaults)),
                )
            check_type(cls.name, key, value, defaults[key])
        eraser = cls(**settings)
        eraser.check()
        return eraser

    @abstractmethod
    def check(self) -> None:
        """Refuse invalid settings.

        Raises:
            PolicyError: Names the setting and what it may be.
        """

    def check_shared(self, n: int) -> None:  # noqa: B027 - most are not shared
        """Refuse a training that several processes cannot share evenly.

        Args:
            n: The number of processes.

        Raises:
            PolicyError: Names the setting and the number to set.
        """

    @property
    def settings(self) -> dict[str, Scalar]:
        """Every setting by name, as an entry records it."""
        return {each.name: getattr(self, each.name) for each in fields(self)}

    def require(self, setting: str, *, known: Sequence[str]) -> None:
        """Refuse a setting that is none of the known words.

        Raises:
            PolicyError: Names the setting and the words that are known.
        """
        value = getattr(self, setting)
        if value not in known:
            raise PolicyError(
                f"{self.name} has no {setting} '{value}'",
                fix=f"{hint(str(value), known)}known: {', '.join(known)}",
            )

    def require_above_zero(self, *, but: Collection[str] = ()) -> None:
        """Refuse settings that are not above zero.

        Args:
            but: Settings that may be zero, beside those of ``may_be_zero``.

        Raises:
            PolicyError: Names the setting and its value.
        """
        zero = {*but, *self.may_be_zero}
        for name, value in self.settings.items():
            if isinstance(value, str | bool) or value > 0:
                continue
            if value or name not in zero:
                least = "zero or more" if name in zero else "a number above zero"
                raise PolicyError(
                    f"{self.name}'s {name} is {value}", fix=f"give {least}"
                )

    def require_below_one(self, *settings: str) -> None:
        """Refuse shares of 1 or more.

        Raises:
            PolicyError: Names the setting and its value.
        """
        for name in settings:
            value = self.settings[name]
            if not isinstance(value, str) and value >= 1:
                raise PolicyError(
                    f"{self.name}'s {name} is {value}", fix="give a share, below 1"
                )
