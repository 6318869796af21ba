"""``python -m tests.golden.make FOLDER``: the ledger that is held on to, made anew.

It is made with commands alone. The one that is checked in was made by an earlier
version and is never made again: what is tested is that it opens, replays and goes on.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

HERE: Final = Path(__file__).parent
POLICY: Final = HERE / "small.toml"

LOOK: Final = (
    *("--policy", str(POLICY), "--concepts", str(HERE / "concepts.toml")),
    "--accept-undecided",
)
RULES: Final = LOOK[:-1]
ME: Final = {"name": "A. Maker", "email": "maker@example.org"}
COMMANDS: Final = (
    ("init", "--model", "../base"),
    ("add", "Picasso", *LOOK, "-m", "asked by the estate", "--ref", "TICKET-1"),
    ("tag", "first"),
    ("add", "cat", "dog", "--batch", *LOOK),
    ("branch", "other"),
    ("add", "Monet", "--eraser", "uce", *LOOK),
    ("switch", "other"),
    ("add", "boat", "--eraser", "ridge", *LOOK),
    ("switch", "main"),
    ("compose", "other", *RULES),
    ("revert", "first", *RULES, "--accept-failures", "-m", "asked again"),
    ("attack", "--concept", "cat", "--attack", "inversion", *RULES, "--record"),
)


def main(folder: str) -> None:
    """Type the commands in a folder, one after another."""
    author = {f"UNLEARNLOG_AUTHOR_{key.upper()}": said for key, said in ME.items()}
    for words in COMMANDS:
        subprocess.run(
            [sys.executable, "-m", "unlearnlog", *words],
            cwd=folder,
            env={**os.environ, **author},
            check=words[0] != "attack",
        )


if __name__ == "__main__":
    main(*sys.argv[1:])
