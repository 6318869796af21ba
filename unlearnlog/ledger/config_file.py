"""The configuration of a ledger: a TOML file that its user may write by hand, too.

    policy = "mine.toml"
    device = "cuda"

    [author]
    name = "Ada"

It is no part of the history: it has no seal, `fsck` only checks that it can be read,
and older versions ignore it.
"""

from __future__ import annotations

import json
import tomllib
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from unlearnlog.core.suggestions import advice
from unlearnlog.errors import UsageError

CONFIG: Final = "config"
"""Name of the file, in the ledger's folder."""

KEYS: Final[Mapping[str, str]] = {
    "policy": "a policy that ships, or a path to a .toml",
    "device": "where to compute: cpu, cuda, mps",
    "dtype": "of the network: float32, bfloat16, float16",
    "side": "of pictures in pixels, of a model with a transformer",
    "workers": "who computes: none, a number, ray, or ray://HOST:PORT",
    "judge": "auto, base, none, or a CLIP folder",
    "concepts": "a .toml file of concepts",
    "base": "where the model is now, if it was moved",
    "tokenizer": "a folder with CLIP's, of a model that is a single file",
    "price": "of one worker an hour, for --dry-run, such as 2.50",
    "author.name": "the author's name in new entries",
    "author.email": "the author's address in new entries",
    "sign.key": "an SSH key to sign with, as git does",
    "sign.entries": "true to sign each new entry",
    "sign.signers": "a file of allowed signers, as git has it",
    "sign.required": "true to have fsck report what no allowed signer vouches for",
}
"""The meaning of each key's value."""

_LONGEST: Final = 4096

_HEADER: Final = (
    "# Written by `unlearnlog config`; a comment does not outlive its next change.\n"
)


def check_key(key: str, where: str = "") -> None:
    """Refuse an unknown key.

    Args:
        key: The key.
        where: The file that it is in; empty where it was typed.

    Raises:
        UsageError: The key is unknown; the error lists those that are known.
    """
    if key not in KEYS:
        place = f" in '{where}'" if where else ""
        raise UsageError(
            f"unknown key '{key}' of a ledger's configuration{place}",
            fix=advice(key, KEYS),
        )


def check_text(key: str, value: str) -> None:
    """Refuse a value that the file cannot hold.

    Raises:
        UsageError: It is empty, too long, or has unprintable characters.
    """
    unseen = any(unicodedata.category(c) in ("Cc", "Cs") for c in value)
    if not value.strip() or len(value) > _LONGEST or unseen:
        shown = repr(value[:40])
        raise UsageError(
            f"{key} cannot be {shown}: {KEYS[key]}",
            fix="give one, or take it out of the configuration",
        )


def parsed(data: bytes, path: Path) -> dict[str, str]:
    """Return a configuration; keys of tables have a dot, such as ``author.name``.

    Raises:
        UsageError: It is no TOML, a key is unknown, or a value is no text.
    """
    try:
        content = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"the ledger's configuration '{path}' cannot be read: {error}",
            fix="correct it by hand, or remove the file",
        ) from error
    found = _flat(content)
    for key, value in found.items():
        check_key(key, str(path))
        if not isinstance(value, str):
            raise UsageError(
                f"'{path}' sets {key} to {value!r}, which is no text",
                fix=f'write {key} = "...", with the quotes, or take the line out',
            )
        check_text(key, value)
    return {key: found[key] for key in KEYS if key in found}


def _flat(content: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values by key, and those of tables by table and key."""
    found: dict[str, Any] = {}
    for key, value in content.items():
        if isinstance(value, dict):
            found |= {f"{key}.{below}": each for below, each in value.items()}
        else:
            found[key] = value
    return found


def written(values: Mapping[str, str]) -> bytes:
    """Return the bytes of a configuration, in the order of `KEYS`."""
    lines, tables = [_HEADER], dict[str, list[str]]()
    for key in KEYS:
        if key in values:
            table, _, name = key.rpartition(".")
            # A JSON string is a TOML string if it has no control characters.

            line = f"{name} = {json.dumps(values[key], ensure_ascii=False)}\n"
            (tables.setdefault(table, []) if table else lines).append(line)
    for table, rows in tables.items():
        lines += [f"\n[{table}]\n", *rows]
    return "".join(lines).encode("utf-8")
