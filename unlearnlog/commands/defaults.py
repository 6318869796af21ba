"""Defaults of arguments: environment, configuration, last entry's policy, built-ins.

An argument on the command line, or to a method, counts most; then the environment; then
the ledger's configuration; then, where a command is about a revision, the policy of the
newest entry up to it; then the built-in default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.devices import check_device, check_dtype
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.suggestions import advice
from unlearnlog.core.worker_choice import HERE, check_workers
from unlearnlog.errors import PolicyError, UnlearnlogError, UsageError
from unlearnlog.glyphs.glyph_model import SOURCE as GLYPHS
from unlearnlog.judges.judge_table import CLASSIFIERS, NUDENET, folders_of, plugins
from unlearnlog.policy import Policy

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry
    from unlearnlog.ledger.repository import Repository

ENVIRONMENT: Final[Mapping[str, str]] = {
    "device": "UNLEARNLOG_DEVICE",
    "dtype": "UNLEARNLOG_DTYPE",
    "workers": "UNLEARNLOG_WORKERS",
}
"""Environment variables, by setting."""

USUAL: Final[Mapping[str, str]] = {
    "policy": "default",
    "device": "cpu",
    "dtype": "float32",
    "workers": HERE,
}
"""Built-in defaults."""

JUDGES: Final = ("auto", "base", "none", "atelier", NUDENET)
"""Judges that need no folder."""

TOKENIZER: Final = "tokenizer"
"""Key of the folder with the tokenizer of a base that is a single file."""

ON_HUB: Final = re.compile(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}")
"""A model of the hub with its commit."""

CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "device": check_device,
    "dtype": check_dtype,
    "workers": check_workers,
}
"""Checks that refuse an invalid value, by setting of the environment."""


@dataclass(frozen=True)
class Settings:
    """Device, dtype, concept file, base location and workers.

    Attributes:
        device: Device of the model; empty where it is not given.
        dtype: Dtype of the network; empty where it is not given.
        concepts: The concept file; None for the default of the model.
        base: Where the ledger's base is; None to find it.
        offload: Whether text encoders are loaded only while they are used.
        workers: Who computes; empty where it is not given.
    """

    device: str = ""
    dtype: str = ""
    concepts: Path | None = None
    base: Path | None = None
    offload: bool = False
    workers: str = ""

    def settled(self, ledger: Repository | None) -> Settings:
        """Return the settings with defaults filled in, all checked.

        Args:
            ledger: The repository with the configuration; None before there is one.

        Raises:
            UsageError: The device, the dtype or the workers cannot be had.
            ConceptError: The concept file cannot be read.
        """
        chosen = configured(ledger)
        for key in ENVIRONMENT:
            with _with_origin(*self._source(key, chosen)):
                CHECKS[key](self._value(key, chosen))
        device, dtype, workers = (self._value(key, chosen) for key in ENVIRONMENT)
        file = self.file_of_concepts(ledger)
        return replace(self, device=device, dtype=dtype, concepts=file, workers=workers)

    def file_of_concepts(self, ledger: Repository | None) -> Path | None:
        """Return the concept file, checked; None for the default of the model.

        Raises:
            ConceptError: The file cannot be read, or is invalid.
        """
        if self.concepts is not None:
            ConceptSet.read(self.concepts)
            return self.concepts
        chosen = configured(ledger)
        if "concepts" not in chosen:
            return None
        with _with_origin(*_of_ledger("concepts")):
            ConceptSet.read(Path(chosen["concepts"]))
        return Path(chosen["concepts"])

    def _value(self, key: str, chosen: Mapping[str, str]) -> str:
        given = getattr(self, key) or os.environ.get(ENVIRONMENT[key], "")
        return given or chosen.get(key) or USUAL[key]

    def _source(self, key: str, chosen: Mapping[str, str]) -> tuple[str, str]:
        """Return the origin of a value, and how to remove it; empty for an argument."""
        if getattr(self, key):
            return "", ""
        if os.environ.get(ENVIRONMENT[key]):
            return f"as the environment has it ({ENVIRONMENT[key]})", ""
        return _of_ledger(key) if key in chosen else ("", "")


def configured(ledger: Repository | None) -> dict[str, str]:
    """Return a ledger's configuration, with relative paths resolved from its folder.

    Raises:
        UsageError: The file is invalid.
    """
    if ledger is None:
        return {}
    return {key: located(key, v, ledger.folder) for key, v in ledger.config.items()}


def rules(
    given: str | Policy, ledger: Repository | None, *, judge: str = "", about: str = ""
) -> Policy:
    """Return the policy in force, with its eraser checked where it is loaded.

    The configuration's judge replaces the policy's where none was given, or where a
    policy given by name has the judge ``auto``. A `Policy` that is given as a value is
    not changed.

    Args:
        given: The given policy; empty for none.
        ledger: The repository with configuration and history; None before there is one.
        judge: A judge that replaces the policy's; empty for none.
        about: The revision that a command is about; empty for none.

    Raises:
        PolicyError: The policy does not exist or is invalid.
        UsageError: The judge does not exist.
        RevisionError: The revision names nothing or more than one entry.
    """
    if isinstance(given, Policy):
        return given.saying(judge=judge)
    chosen = configured(ledger)
    found = loaded(given) if given else _default(chosen, ledger, about)
    standing = chosen.get("judge", "")
    if judge or not standing or (given and found.judge != "auto"):
        found = found.saying(judge=judge)
        check_judge(found.judge)
    else:
        with _with_origin(*_of_ledger("judge")):
            check_judge(standing)
        found = found.saying(judge=standing)
    return found


def loaded(name: str) -> Policy:
    """Return a policy by its name or path, with its eraser and its prompts checked.

    Raises:
        PolicyError: It does not exist, or is not valid.
        PromptError: Its file of prompts cannot be read.
    """
    found = Policy.load(name)
    found.check_eraser()
    found.prompt_file()  # raises where it cannot be read
    return found


def _default(
    chosen: Mapping[str, str], ledger: Repository | None, about: str
) -> Policy:
    if "policy" in chosen:
        with _with_origin(*_of_ledger("policy")):
            return loaded(chosen["policy"])
    if ledger is not None and about:
        history = ledger.history(ledger.resolve(about))
        if found := in_force([entry for _, entry in history]):
            return found
    return loaded(usual_policy(ledger))


def usual_policy(ledger: Repository | None) -> str:
    """Return the built-in default policy for a ledger's model, by its name."""
    known = {GLYPHS: GLYPHS}
    return known.get(ledger.base.source if ledger else "", USUAL["policy"])


def in_force(entries: Sequence[Entry]) -> Policy | None:
    """Return the policy of the newest entry that has one; None where no entry has.

    For an entry that records only a name, it is the bundled policy of that name.

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
    """Refuse a judge that is neither a known name nor a folder.

    Raises:
        UsageError: The judge is neither.
    """
    if name.startswith(CLASSIFIERS):
        for folder in folders_of(name):
            if not folder.is_dir():
                raise UsageError(
                    f"there is no folder '{folder}' for the judge '{name}'",
                    fix="give the folder of an image classifier that save_pretrained "
                    "wrote: hf:FOLDER",
                )
        return
    known = (*JUDGES, *plugins())
    if name == NUDENET and find_spec(NUDENET) is None:
        raise UsageError(
            f"the judge '{name}' is not installed",
            fix='pip install "unlearnlog[nudenet]"',
        )
    if name not in known and not Path(name).is_dir():
        raise UsageError(
            f"there is no judge '{name}', and no folder with a CLIP model",
            fix=f"{advice(name, known)}; or give a folder that save_pretrained wrote, "
            "or hf:FOLDER",
        )


def located(key: str, value: str, folder: Path) -> str:
    """Return a value of a configuration; a relative path is resolved from a folder."""
    if not is_path(key, value):
        return value
    return os.path.normpath(folder / expanded(value))


def is_path(key: str, value: str) -> bool:
    """Return whether a value is a path, and not a name such as ``fast`` or ``auto``."""
    if key == "policy":
        return Path(value).suffix == ".toml"
    if key == "judge":
        return value not in JUDGES
    if key == "base":
        return ON_HUB.fullmatch(value) is None
    return key in ("concepts", "sign.key", "sign.signers", TOKENIZER)


def _of_ledger(key: str) -> tuple[str, str]:
    where = "as the ledger's configuration has it"
    return where, f"or take it out: unlearnlog config unset {key}"


@contextmanager
def _with_origin(where: str, undo: str) -> Iterator[None]:
    """Add the origin of a value to the error about it, if it is not an argument."""
    try:
        yield
    except UnlearnlogError as error:
        if not where:
            raise
        fix = f"{error.fix}; {undo}" if undo else error.fix
        raise type(error)(f"{error.message}, {where}", fix=fix) from error
