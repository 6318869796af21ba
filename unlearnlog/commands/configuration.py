"""A ledger's configuration: which keys may be set, to what, and how it is written."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from unlearnlog.commands.defaults import (
    CHECKS,
    ON_HUB,
    TOKENIZER,
    check_judge,
    is_path,
    loaded,
    located,
)
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.devices import side_of
from unlearnlog.core.plain_files import expanded
from unlearnlog.core.price import check_price
from unlearnlog.errors import UsageError
from unlearnlog.ledger.config_file import KEYS, check_key, check_text

if TYPE_CHECKING:
    from unlearnlog.ledger.repository import Repository


class Config(MutableMapping[str, str]):
    """A ledger's configuration, as a mapping that reads and writes its file.

    Example::

        ledger.config["policy"] = "mine.toml"
        del ledger.config["device"]
    """

    keys_there_are: ClassVar[Mapping[str, str]] = KEYS
    """Every key that can be set, with what it is for."""

    def __init__(self, ledger: Callable[[], Repository]) -> None:
        """Set the function that returns the repository as it is now."""
        self._ledger = ledger

    def __getitem__(self, key: str) -> str:
        """Return a value; raise ``KeyError`` where it is not set."""
        check_key(key)
        return self._ledger().config[key]

    def __setitem__(self, key: str, value: str) -> None:
        """Set a value for later commands, after checking it."""
        ledger = self._ledger()
        ledger.configure(key, kept(key, value, ledger))

    def __delitem__(self, key: str) -> None:
        """Remove a value; raise ``KeyError`` where it is not set."""
        _ = self[key]
        self._ledger().configure(key, None)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the keys that are set."""
        return iter(self._ledger().config)

    def __len__(self) -> int:
        """Return the number of keys that are set."""
        return len(self._ledger().config)

    def __repr__(self) -> str:
        """Return the values that are set."""
        return f"Config({dict(self)!r})"


def kept(key: str, value: str, ledger: Repository) -> str:
    """Check a value of the configuration; return it as it is written.

    Args:
        key: A key of the configuration.
        value: The value; a relative path begins at the working directory.
        ledger: The repository.

    Raises:
        UsageError: The key is unknown, or the value is invalid.
    """
    check_key(key)
    check_text(key, value)
    path = expanded(value)
    if not is_path(key, value):
        _CHECKS[key](value)
        return value
    _CHECKS[key](str(path))
    return str(path) if path.is_absolute() else os.path.relpath(path, ledger.folder)


def hand_on(old: Repository, new: Repository) -> None:
    """Copy a configuration to a new ledger, without the places of the base's files.

    Relative paths are rewritten relative to the new ledger's folder.
    """
    for key, value in old.config.items():
        if key not in ("base", TOKENIZER):
            if is_path(key, value) and not expanded(value).is_absolute():
                value = os.path.relpath(located(key, value, old.folder), new.folder)
            new.configure(key, value)


def _check_base(value: str) -> None:
    if ON_HUB.fullmatch(value) is None and not Path(value).exists():
        raise UsageError(
            f"there is no model in '{value}'",
            fix="give the folder that holds its model_index.json, a .safetensors file, "
            "or owner/name@commit",
        )


def _check_tokenizer(value: str) -> None:
    if not Path(value).is_dir():
        raise UsageError(
            f"there is no folder '{value}'",
            fix="give the folder 'tokenizer' of any Stable Diffusion",
        )


def _check_author(value: str) -> None:
    if "<" in value or ">" in value:
        raise UsageError(
            f"{value!r} is neither a name nor an address alone",
            fix="set them separately: unlearnlog config set author.name, author.email",
        )


def _check_file(value: str) -> None:
    if not Path(value).is_file():
        raise UsageError(
            f"there is no file '{value}'", fix="give the path of an existing file"
        )


def _check_choice(value: str) -> None:
    if value not in ("true", "false"):
        raise UsageError(
            f"'{value}' is neither true nor false", fix="set it to true or to false"
        )


_CHECKS: Final[Mapping[str, Callable[[str], object]]] = {
    "policy": loaded,
    **CHECKS,
    "side": side_of,
    "judge": check_judge,
    "concepts": lambda value: ConceptSet.read(Path(value)),
    "base": _check_base,
    TOKENIZER: _check_tokenizer,
    "price": partial(check_price, of="price"),
    "author.name": _check_author,
    "author.email": _check_author,
    "sign.key": _check_file,
    "sign.entries": _check_choice,
    "sign.signers": _check_file,
    "sign.required": _check_choice,
}
"""Checks that refuse an invalid value, by key."""
