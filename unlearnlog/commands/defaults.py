"""What is used where somebody says nothing: environment, configuration, last entry.

What is said on the command line, or to a method, counts most; then the environment;
then the ledger's own configuration; then, where a command is about a revision, the
policy that the newest entry up to it was judged by; then what ships.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.devices import check_device, check_dtype
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import PolicyError, UnlearnlogError, UsageError
from unlearnlog.ledger.config_file import KEYS, check_key, check_text
from unlearnlog.policy import Policy

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.ledger.repository import Repository

ENVIRONMENT: Final[Mapping[str, str]] = {
    "device": "UNLEARNLOG_DEVICE",
    "dtype": "UNLEARNLOG_DTYPE",
}
"""Variables of the environment, by what they say."""

USUAL: Final[Mapping[str, str]] = {
    "policy": "default",
    "device": "cpu",
    "dtype": "float32",
}
"""What ships."""

JUDGES: Final = ("auto", "base", "none", "atelier")
"""Judges that need no folder."""

_ON_HUB: Final = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")


@dataclass(frozen=True)
class Settings:
    """Where a model computes, and which concepts it is asked about.

    Attributes:
        device: Where the model computes; empty where nobody says.
        dtype: What its UNet computes in; empty where nobody says.
        concepts: The file of concepts; None for the one that suits the model.
        base: Where the ledger's base is; None to find it.
    """

    device: str = ""
    dtype: str = ""
    concepts: Path | None = None
    base: Path | None = None

    def settled(self, ledger: Repository | None) -> Settings:
        """Return the settings with nothing left open but the concepts, all checked.

        Args:
            ledger: Whose configuration counts; None before there is one.

        Raises:
            UsageError: There is no such device or dtype.
            ConceptError: The file of concepts cannot be read.
        """
        chosen = configured(ledger)
        for key, check in (("device", check_device), ("dtype", check_dtype)):
            with _saying(*self._source(key, chosen)):
                check(self._value(key, chosen))
        device, dtype = (self._value(key, chosen) for key in ("device", "dtype"))
        return Settings(device, dtype, self.file_of_concepts(ledger), self.base)

    def file_of_concepts(self, ledger: Repository | None) -> Path | None:
        """Return the file of concepts, checked; None for the one that suits the model.

        Raises:
            ConceptError: It cannot be read, or something in it is wrong.
        """
        if self.concepts is not None:
            ConceptSet.read(self.concepts)
            return self.concepts
        chosen = configured(ledger)
        if "concepts" not in chosen:
            return None
        with _saying(*_of_ledger("concepts")):
            ConceptSet.read(Path(chosen["concepts"]))
        return Path(chosen["concepts"])

    def _value(self, key: str, chosen: Mapping[str, str]) -> str:
        said = getattr(self, key) or os.environ.get(ENVIRONMENT[key], "")
        return said or chosen.get(key) or USUAL[key]

    def _source(self, key: str, chosen: Mapping[str, str]) -> tuple[str, str]:
        """Say where a value comes from, and how to take it out; nothing if typed."""
        if getattr(self, key):
            return "", ""
        if os.environ.get(ENVIRONMENT[key]):
            return f"as the environment has it ({ENVIRONMENT[key]})", ""
        return _of_ledger(key) if key in chosen else ("", "")


def configured(ledger: Repository | None) -> dict[str, str]:
    """Return a ledger's configuration; its relative paths begin at its folder.

    Raises:
        UsageError: The file cannot be understood.
    """
    if ledger is None:
        return {}
    return {key: _located(key, v, ledger.folder) for key, v in ledger.config.items()}


def rules(
    said: str | Policy, ledger: Repository | None, *, judge: str = "", about: str = ""
) -> Policy:
    """Return the policy that counts; of one that is read its eraser is checked, too.

    A judge of the configuration stands in for one that nobody named: in a policy that
    was asked for by name, ``auto`` names none. A policy that is given itself has said
    all there is to say.

    Args:
        said: What somebody said; empty for nothing.
        ledger: Whose configuration and history count; None before there is one.
        judge: Who is to judge, where somebody says so.
        about: The revision that a command is about; empty for one that begins anew.

    Raises:
        PolicyError: There is no such policy, or something in it is wrong.
        UsageError: There is no such judge.
        RevisionError: The revision names nothing or more than one entry.
    """
    if isinstance(said, Policy):
        return said.saying(judge=judge)
    chosen = configured(ledger)
    found = _loaded(said) if said else _unsaid(chosen, ledger, about)
    standing = chosen.get("judge", "")
    if judge or not standing or (said and found.judge != "auto"):
        found = found.saying(judge=judge)
        check_judge(found.judge)
    else:
        with _saying(*_of_ledger("judge")):
            check_judge(standing)
        found = found.saying(judge=standing)
    return found


def _loaded(name: str) -> Policy:
    found = Policy.load(name)
    found.check_eraser()
    return found


def _unsaid(chosen: Mapping[str, str], ledger: Repository | None, about: str) -> Policy:
    if "policy" in chosen:
        with _saying(*_of_ledger("policy")):
            return _loaded(chosen["policy"])
    if ledger is not None and about:
        history = ledger.history(ledger.resolve(about))
        if found := in_force([entry for _, entry in history]):
            return found
    return _loaded(USUAL["policy"])


def in_force(entries: Sequence[Entry]) -> Policy | None:
    """Return the policy of the newest entry that tells of one; None of none.

    Of entries that keep only a name it is the policy of that name that ships today.

    Args:
        entries: Oldest first.
    """
    named = None
    for entry in reversed(entries):
        if entry.rules is not None:
            if found := Policy.in_force(entry.policy, entry.rules):
                return found
        elif named is None and Path(entry.policy).suffix != ".toml":
            with suppress(PolicyError):
                named = Policy.load(entry.policy)
    return named


def check_judge(name: str) -> None:
    """Refuse a judge that is neither known nor a folder.

    Raises:
        UsageError: It is neither.
    """
    if name not in JUDGES and not Path(name).is_dir():
        raise UsageError(
            f"there is no judge '{name}', and no folder with a CLIP model",
            fix=f"{advice(name, JUDGES)}; or give a folder that save_pretrained wrote",
        )


class Config(MutableMapping[str, str]):
    """A ledger's configuration, as a mapping that reads and writes its file.

    Example::

        ledger.config["policy"] = "mine.toml"
        del ledger.config["device"]
    """

    keys_there_are: ClassVar[Mapping[str, str]] = KEYS
    """Every key that can be set, with what it is for."""

    def __init__(self, ledger: Callable[[], Repository]) -> None:
        """Say who gives the ledger as it is now."""
        self._ledger = ledger

    def __getitem__(self, key: str) -> str:
        """Return what is kept; ``KeyError`` where it is nothing."""
        check_key(key)
        return self._ledger().config[key]

    def __setitem__(self, key: str, value: str) -> None:
        """Keep a value for every later command, if it is of use."""
        ledger = self._ledger()
        ledger.configure(key, kept(key, value, ledger))

    def __delitem__(self, key: str) -> None:
        """Keep it no longer; ``KeyError`` where nothing is kept."""
        _ = self[key]
        self._ledger().configure(key, None)

    def __iter__(self) -> Iterator[str]:
        """Give the keys that are set."""
        return iter(self._ledger().config)

    def __len__(self) -> int:
        """Count them."""
        return len(self._ledger().config)

    def __repr__(self) -> str:
        """Show what is set."""
        return f"Config({dict(self)!r})"


def kept(key: str, value: str, ledger: Repository) -> str:
    """Check what somebody wants to be kept; return it as it is written down.

    Args:
        key: One of the configuration's keys.
        value: What was typed; a relative path begins at the working directory.
        ledger: Whose configuration it is.

    Raises:
        UsageError: There is no such key, or the value is of no use.
    """
    check_key(key)
    check_text(key, value)
    path = expanded(value)
    if not _is_path(key, value):
        _CHECKS[key](value)
        return value
    _CHECKS[key](str(path))
    return str(path) if path.is_absolute() else os.path.relpath(path, ledger.folder)


def hand_on(old: Repository, new: Repository) -> None:
    """Choose for a new ledger what was chosen for an old one, but for the base's place.

    A path that was relative is so to the new ledger's folder.
    """
    for key, value in old.config.items():
        if key != "base":
            if _is_path(key, value) and not expanded(value).is_absolute():
                value = os.path.relpath(_located(key, value, old.folder), new.folder)
            new.configure(key, value)


def _located(key: str, value: str, folder: Path) -> str:
    """Return a value of a configuration; its relative path begins at a folder."""
    if not _is_path(key, value):
        return value
    return os.path.normpath(folder / expanded(value))


def _is_path(key: str, value: str) -> bool:
    """Whether a value is a path, and not a name such as ``fast`` or ``auto``."""
    if key == "policy":
        return Path(value).suffix == ".toml"
    if key == "judge":
        return value not in JUDGES
    if key == "base":
        return _ON_HUB.fullmatch(value) is None
    return key == "concepts"


def _check_base(value: str) -> None:
    if _ON_HUB.fullmatch(value) is None and not Path(value).exists():
        raise UsageError(
            f"there is no model in '{value}'",
            fix="give the folder that holds its model_index.json, or owner/name@commit",
        )


def _check_author(value: str) -> None:
    if "<" in value or ">" in value:
        raise UsageError(
            f"{value!r} is no name and no address by itself",
            fix="say them apart: unlearnlog config set author.name, author.email",
        )


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "policy": _loaded,
    "device": check_device,
    "dtype": check_dtype,
    "judge": check_judge,
    "concepts": lambda value: ConceptSet.read(Path(value)),
    "base": _check_base,
    "author.name": _check_author,
    "author.email": _check_author,
}
"""What refuses a value that would be of no use."""


def _of_ledger(key: str) -> tuple[str, str]:
    where = "as the ledger's configuration has it"
    return where, f"or take it out: unlearnlog config unset {key}"


@contextmanager
def _saying(where: str, undo: str) -> Iterator[None]:
    """Say of an error where the value came from that it is about, if anybody must."""
    try:
        yield
    except UnlearnlogError as error:
        if not where:
            raise
        fix = f"{error.fix}; {undo}" if undo else error.fix
        raise type(error)(f"{error.message}, {where}", fix=fix) from error
