"""What must not happen while a stranger's folder is read, and how long it may take.

A hook of the interpreter sees every connection, every process and every import, also
those that a library wraps in a ``try``: so they are written down, not only refused.
"""

import faulthandler
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

SECONDS = 10
_HARD = 3 * SECONDS  # where nothing of Python runs any more

_REACHES_OUT = (
    *("socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"),
    *("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn"),
    *("os.fork", "os.forkpty", "pty.spawn", "webbrowser.open"),
)
_MODULES = frozenset(
    {
        *("kernels", "bitsandbytes", "torchao", "gptqmodel", "auto_gptq", "awq"),
        *("hqq", "aqlm", "eetq", "optimum", "compressed_tensors", "gguf", "fbgemm"),
        *("transformers_modules", "diffusers_modules", "evil", "onnxruntime"),
    }
)
_watched: list["Guard"] = []
_installed: list[bool] = []


class TooLong(BaseException):
    """It took more than its time; no library's ``except Exception`` swallows it."""


class Guard:
    """What happened that must not.

    Attributes:
        secret: A file outside of the folder that nobody may open.
        seen: What happened, in words.
    """

    def __init__(self, secret: Path) -> None:
        self.secret = secret
        self.seen: list[str] = []

    def check(self, event: str, args: tuple[Any, ...]) -> None:
        if event in _REACHES_OUT:
            self._stop(f"{event} {args!r}")
        if event == "import" and str(args[0]).split(".")[0] in _MODULES:
            self._stop(f"import {args[0]}")
        if event == "open" and str(args[0]) in (str(self.secret), "/etc/passwd"):
            self._stop(f"open {args[0]}")

    def _stop(self, what: str) -> None:
        self.seen.append(what)
        raise PermissionError(what)


def _hook(event: str, args: tuple[Any, ...]) -> None:
    for guard in _watched:
        guard.check(event, args)


@contextmanager
def guarded(secret: Path) -> Iterator[Guard]:
    """Watch what a block does, and end it after its time.

    Raises:
        TooLong: It took longer.
    """
    if not _installed:
        sys.addaudithook(_hook)
        _installed.append(True)
    guard = Guard(secret)
    before = signal.signal(signal.SIGALRM, _too_long)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    faulthandler.dump_traceback_later(_HARD, exit=True)
    _watched.append(guard)
    try:
        yield guard
    finally:
        _watched.remove(guard)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        faulthandler.cancel_dump_traceback_later()


def _too_long(*_: object) -> None:
    raise TooLong
