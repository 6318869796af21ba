"""What was said once, in files beside this one; written anew only when asked to."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any, Final

HERE: Final = Path(__file__).parent
WRITE: Final = "UNLEARNLOG_WRITE_GOLDEN"
"""Set it to write down what is said today, and read the difference before a commit."""

_NUMBER: Final = re.compile(r"-?\d+\.\d{5,}(?:e-?\d+)?")

_PROGRESS: Final = re.compile(r": \d+ of \d+ after \d+:\d\d")


def held(name: str, key: str, found: Any) -> Any:
    """Return what was said under a key of a file; write it down where asked to.

    Args:
        name: The file's stem.
        key: Which thing.
        found: What is said today.
    """
    path = HERE / f"{name}.json"
    known: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    if os.environ.get(WRITE):
        known[key] = found
        path.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n")
    return known.get(key)


def plain(text: str, folder: Path) -> list[str]:
    """Return the lines of a text without what differs between two machines.

    Folders are named apart; long numbers, whose last digits depend on the processor,
    are cut to four digits; how far work is by some second is left out.
    """
    text = text.replace(str(folder), "<folder>")
    text = _NUMBER.sub(lambda found: f"{float(found[0]):.4g}", text)
    lines = (line.rstrip() for line in text.splitlines())
    return [line for line in lines if not _PROGRESS.search(line)]
