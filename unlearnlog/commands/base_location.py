"""Location of a ledger's base: as given, as recorded, or beside the ledger."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeVar

from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import (
    IntegrityError,
    LedgerError,
    LockBusy,
    ModelError,
    WrongBase,
)
from unlearnlog.models.weight_file_names import SUFFIX

if TYPE_CHECKING:
    from unlearnlog.ledger.base_manifest import BaseManifest
    from unlearnlog.ledger.repository import Repository

BASE_VARIABLE: Final = "UNLEARNLOG_BASE"
"""Environment variable with the base's location."""

CONFIGURED: Final = "base"
"""Key of the base's location in a ledger's configuration."""

_OPTION: Final = "--base"
_INDEX: Final = "model_index.json"

Loaded = TypeVar("Loaded")


@dataclass(frozen=True)
class BaseLocation:
    """A possible location of the base.

    Attributes:
        source: A path, a hub id, or the name of the bundled model.
        said: Origin of the location; empty for the ledger's own record.
    """

    source: str
    said: str = ""

    def __str__(self) -> str:
        return f"'{self.source}' ({self.said})" if self.said else f"'{self.source}'"


def whereabouts(
    ledger: Repository,
    *,
    base: Path | None = None,
    config: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
) -> BaseLocation:
    """Return the location that a ledger's base is to be loaded from.

    The first of these counts: ``--base``, the environment's ``UNLEARNLOG_BASE``, the
    configuration's ``base``, the recorded path, and, where that no longer exists, a
    folder of the same name in the ledger's folder or beside it. A single file is found
    there under another name, too, and where it was renamed.

    Args:
        ledger: The ledger.
        base: The value of ``--base``; None without one.
        config: The ledger's configuration; a path in it is relative to its folder.
        environment: The process's variables; None for `os.environ`.

    Raises:
        ModelError: The given location does not exist, or none was given and the base is
            neither at the recorded path nor beside the ledger.
    """
    variables = os.environ if environment is None else environment
    given = (
        (_OPTION, str(base or ""), Path()),
        (BASE_VARIABLE, variables.get(BASE_VARIABLE, ""), Path()),
        ("base in the configuration", config.get(CONFIGURED, ""), ledger.folder),
    )
    for origin, source, relative_to in given:
        if source:
            return _given(source, origin, relative_to)
    recorded = ledger.base.source
    if not ledger.base.is_path:
        return BaseLocation(recorded)
    place = (ledger.folder / recorded).absolute()
    if place.exists():
        return BaseLocation(str(place))
    for folder in (ledger.folder, ledger.folder.parent):
        beside = folder / ledger.base.name
        if (beside / _INDEX).is_file():
            return BaseLocation(str(beside), "found beside the ledger")
    if place.suffix.lower() == SUFFIX and (moved := _moved_file(ledger, place)):
        return moved
    raise ModelError(
        f"the ledger's base is no longer in '{place}'",
        fix="give its path: --base PATH, or for all commands: unlearnlog config "
        "set base PATH",
    )


def _moved_file(ledger: Repository, place: Path) -> BaseLocation | None:
    """Return where a single file is now: by its name, or else by its tensors."""
    from unlearnlog.checkpoints.single_file import holds_base

    near = dict.fromkeys((ledger.folder, ledger.folder.parent, place.parent))
    for folder in near:
        if (folder / place.name).is_file():
            return BaseLocation(str(folder / place.name), "found beside the ledger")
    for folder in near:
        for file in sorted(folder.glob(f"*{SUFFIX}")):
            if holds_base(file, ledger.base):
                return BaseLocation(str(file), "found by its digests")
    return None


def verified(
    ledger: Repository,
    where: BaseLocation,
    load: Callable[[str], tuple[Loaded, BaseManifest]],
) -> tuple[Loaded, BaseManifest]:
    """Load the base from a location; refuse another model.

    A ledger of an early format has no record of configurations and tokenizer files:
    they are recorded now, with a warning.

    Returns:
        The model, and its manifest with the name that the ledger calls it by.

    Raises:
        WrongBase: It is another model; names the location, its origin, and what
            differs.
        ModelError: The model cannot be loaded.
    """
    try:
        model, manifest = load(where.source)
        ledger.check_base(manifest)
    except WrongBase as error:
        give = f"give the model that the ledger was made for: {ledger.base.source}"
        raise WrongBase(
            f"{where} is not the ledger's base; {error.message.partition('; ')[2]}",
            fix=give if where.said else f"put that back as it was there, or {give}",
        ) from error
    except ModelError as error:
        if not where.said:
            raise
        raise ModelError(f"{error.message} ({where.said})", fix=error.fix) from error
    _complete(ledger, manifest, where)
    return model, manifest.model_copy(update={"source": ledger.base.source})


def _complete(ledger: Repository, manifest: BaseManifest, where: BaseLocation) -> None:
    """Record what an early ledger lacks of its base; skip one that is read-only."""
    with suppress(LedgerError, LockBusy, IntegrityError):
        if ledger.complete_base(manifest):
            n_files = len(manifest.configs) + len(manifest.files)
            warnings.warn(
                f"this ledger recorded only the tensors of its base; its {n_files} "
                "configurations and tokenizer files are recorded now as they are in "
                f"{where}, and checked from now on",
                stacklevel=2,
            )


def recorded(path: Path, folder: Path) -> str:
    """Return the base's location as a ledger records it.

    A path in the ledger's folder or beside it is recorded relative to the ledger, so
    that both may move together and no absolute path is in the ledger.

    Args:
        path: The base.
        folder: The ledger's folder.
    """
    path, folder = path.absolute(), folder.absolute()
    plain = Path(os.path.normpath(path))
    with suppress(OSError):
        if plain.samefile(path):  # a link may be behind a '..'
            path = plain
    beside = folder.parent
    for top, prefix in ((folder, "."), (beside, "..")):
        if path.is_relative_to(top) and top != Path(top.anchor):
            below = path.relative_to(top).as_posix()
            return prefix if below == "." else f"{prefix}/{below}"
    return str(path)


def _given(source: str, origin: str, relative_to: Path) -> BaseLocation:
    place = (relative_to / expanded(source)).absolute()
    if not place.exists():
        raise ModelError(
            f"there is no folder '{place}' ({origin})",
            fix="give the folder of the ledger's base, or leave that out to use the "
            "recorded path",
        )
    return BaseLocation(str(place), origin)
