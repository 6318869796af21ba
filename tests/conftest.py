"""What holds for every test: no network, no chance, no fight over the cores."""

import atexit
import ipaddress
import json
import os
import shutil
import socket
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import settings

# Set before any test imports torch or the hub's client, and inherited by every
# process that a test starts.
os.environ["HF_HUB_OFFLINE"] = "1"
for name in ("UNLEARNLOG_DEVICE", "UNLEARNLOG_DTYPE", "COLUMNS"):
    os.environ.pop(name, None)  # what the developer has is nothing to a test
# What a test computes is sealed by a key of its own, and never by the developer's.
os.environ["XDG_CONFIG_HOME"] = tempfile.mkdtemp(prefix="unlearnlog-tests-")
atexit.register(shutil.rmtree, os.environ["XDG_CONFIG_HOME"], ignore_errors=True)
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

# The same examples in every run; no deadline, because a busy machine is no bug.
settings.register_profile("unlearnlog", derandomize=True, deadline=None)
settings.load_profile("unlearnlog")


def _stays_here(address: Any) -> bool:
    """Tell whether a socket address is a file or this very machine."""
    if not isinstance(address, tuple):
        return True
    host = str(address[0])
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a socket's method so that it refuses every address outside."""

    def guarded(self: socket.socket, address: Any) -> Any:
        if not _stays_here(address):
            message = f"a test reached for the network: {address!r}"
            raise RuntimeError(message)
        return connect(self, address)

    return guarded


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no test leave the machine."""
    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))


@dataclass(frozen=True)
class Done:
    """What a command left behind."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def typed(monkeypatch, capsys, tmp_path):
    """Type a command in an empty folder."""
    from unlearnlog import cli

    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        monkeypatch.setattr(sys, "argv", ["unlearnlog", *words])
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = int(end.code or 0)
        shown = capsys.readouterr()
        return Done(code, shown.out, shown.err)

    return run
