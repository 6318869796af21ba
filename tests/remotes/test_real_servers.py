"""Pushes and pulls over real servers: by four clients at once, killed, on cut links."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import pytest

from tests.ledger.making import new_ledger, next_entry, replay_everything
from tests.remotes.counting import counting
from tests.remotes.servers import (
    KEYS,
    ROOT,
    cut_links,
    gcs,
    s3,
    sshd,
    use_gcs,
    web,
)
from tests.remotes.sharing import big_delta, long_history, more
from unlearnlog import Ledger
from unlearnlog.errors import RemoteError
from unlearnlog.ledger.ledger_file import files_of

pytestmark = pytest.mark.slow

N_CLIENTS = 4
N_TASKS = 50
"""Tasks of each client: each pulls, and most of them push."""

KILLED = 0.35
"""Share of the tasks that are killed on their way."""


@pytest.fixture(params=["path", "sftp", "s3", "gs"])
def place(request, tmp_path, monkeypatch):
    """Addresses of one remote: one to check it by, and one whose links are cut."""
    with ExitStack() as stack:
        if request.param == "path":
            yield str(tmp_path / "store"), str(tmp_path / "store")
            return
        pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")
        if request.param == "sftp":
            pytest.importorskip("asyncssh", reason="pip install 'unlearnlog[remote]'")
            monkeypatch.setenv("HOME", str(tmp_path / "home"))
            monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
            port = stack.enter_context(sshd(tmp_path))
            cut = stack.enter_context(cut_links(port, tmp_path, seed=1))
            ends = (f"sftp://127.0.0.1:{p}{tmp_path}/store" for p in (port, cut))
            yield tuple(ends)
            return
        if request.param == "gs":
            port = stack.enter_context(gcs(tmp_path, "ledgers"))
            cut = stack.enter_context(cut_links(port, tmp_path, seed=4))
            use_gcs(monkeypatch, port)
            monkeypatch.setenv("STORM_ENDPOINT", f"http://127.0.0.1:{cut}")
            yield "gs://ledgers/storm", "gs://ledgers/storm"
            return
        for name, value in KEYS.items():
            monkeypatch.setenv(name, value)
        port = stack.enter_context(s3(tmp_path))
        cut = stack.enter_context(cut_links(port, tmp_path, seed=2))
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        monkeypatch.setenv("AWS_REGION", "us-east-1")
        _make_bucket()
        monkeypatch.setenv("STORM_ENDPOINT", f"http://127.0.0.1:{cut}")
        yield "s3://ledgers/storm", "s3://ledgers/storm"


def _make_bucket():
    """Make the bucket: this server does so for its first object."""
    import obstore
    from obstore.store import S3Store

    store = S3Store("ledgers", client_options={"allow_http": True})
    obstore.put(store, "made", b"")


class Clients:
    """The process that gives birth to the clients' tasks."""

    def __init__(self):
        env = {**os.environ, "OMP_NUM_THREADS": "1"}
        if cut := env.get("STORM_ENDPOINT"):
            env["AWS_ENDPOINT_URL"] = env["GOOGLE_BASE_URL"] = cut
        self._program = subprocess.Popen(
            [sys.executable, "-m", "tests.remotes.storm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            env=env,
        )
        self._lock = threading.Lock()
        assert self._program.stdin
        assert self._program.stdout
        self._in, self._out = self._program.stdin, self._program.stdout

    def ask(self, words):
        with self._lock:
            self._in.write(f"{words}\n")
            self._in.flush()
            return int(self._out.readline())

    def close(self):
        self._in.close()
        self._out.close()
        self._program.wait(60)


def life(clients, folder, chance):
    """Let one client do its tasks, one after another; kill some of them."""
    for _ in range(N_TASKS):
        child = clients.ask(f"{folder} {chance.randrange(10**6)}")
        if chance.random() < KILLED:
            time.sleep(chance.uniform(0, 0.6))
            with suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        while Path(f"/proc/{child}/stat").exists() and not _is_gone(child):
            time.sleep(0.01)
        clients.ask(f"wait {child}")


def _is_gone(child):
    with suppress(FileNotFoundError):
        return (
            Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        )
    return True


def test_no_acknowledged_work_is_lost_by_killed_clients_on_cut_links(place, tmp_path):
    plain, cut = place
    first = new_ledger(tmp_path / "first")
    more(Ledger.open(first.folder), 0)
    first = Ledger.open(first.folder)
    first.add_remote("origin", plain)
    first.push()
    folders = [tmp_path / "clients" / str(i) for i in range(N_CLIENTS)]
    for folder in folders:
        client = Ledger.clone(plain, folder)
        client.remove_remote("origin")
        client.add_remote("origin", cut)
    clients = Clients()
    chances = (random.Random(i) for i in range(N_CLIENTS))

    lives = [
        threading.Thread(target=life, args=(clients, folder, chance))
        for folder, chance in zip(folders, chances, strict=True)
    ]
    for each in lives:
        each.start()
    for each in lives:
        each.join()
    clients.close()

    told = [
        line.split(" ", 1)
        for path in (tmp_path / "clients").glob("told.*")
        for line in path.read_text().splitlines()
    ]
    assert [words for words in told if words[0] == "!"] == []
    pushed = {words[1] for words in told if words[0] == "pushed"}
    last = Ledger.clone(plain, tmp_path / "last")
    whole = {entry.id for entry in last.entries()}
    assert len(pushed) > N_TASKS / 2
    assert pushed <= whole
    for folder in (*folders, last.folder):
        ledger = Ledger.open(folder)
        with suppress(RemoteError):
            ledger.fetch()
        assert ledger.fsck() == ()
        replay_everything(folder)


def test_a_host_that_is_not_known_is_refused(tmp_path, monkeypatch):
    pytest.importorskip("asyncssh", reason="pip install 'unlearnlog[remote]'")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    with sshd(tmp_path) as port:
        (tmp_path / "home/.ssh/known_hosts").write_text("")

        with pytest.raises(RemoteError, match=r"[Hh]ost key") as refused:
            Ledger.clone(f"sftp://127.0.0.1:{port}{tmp_path}/x", tmp_path / "two")

    assert f"ssh -p {port} 127.0.0.1" in refused.value.fix


def test_a_web_server_whose_links_are_cut_gives_a_whole_ledger_in_the_end(tmp_path):
    pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")
    made = new_ledger(tmp_path / "one")
    one = Ledger.open(made.folder)
    for seed in range(30):
        more(one, seed)
    one.add_remote("origin", str(tmp_path / "web/store"))
    (tmp_path / "web").mkdir()
    one.push()

    with (
        web(tmp_path / "web") as port,
        cut_links(port, tmp_path, seed=3) as cut,
    ):
        url, two = f"http://127.0.0.1:{cut}/store", None
        for _ in range(50):
            with suppress(RemoteError):
                two = two or Ledger.clone(url, tmp_path / "two")

    assert two is not None
    assert two.chain.head == one.chain.head
    assert two.fsck() == ()
    replay_everything(two.folder)


@pytest.mark.parametrize(
    ("rank", "share"), [(500, 1.35), (5_000, 1.2)], ids=["21 kB", "201 kB"]
)
def test_a_push_of_one_entry_to_a_thousand_costs_little_on_the_wire(
    tmp_path, monkeypatch, rank, share
):
    """Bytes of requests, answers and headers, as a server of S3 sees them.

    Seven requests take 6 kB of headers and refs, whatever the size of an entry.
    """
    pytest.importorskip("obstore", reason="pip install 'unlearnlog[remote]'")
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    one = long_history(tmp_path / "one", 1_000)
    one.add_remote("origin", "s3://ledgers/long")
    with s3(tmp_path) as port, counting(port) as (relay, counted):
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{port}")
        _make_bucket()
        one.push()
        here, delta = one.chain, big_delta(rank)
        entry = next_entry(here, delta)
        here.append(entry, delta)
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{relay}")

        done = one.push()

    own = len(entry.to_json()) + len(here.file(files_of(entry)[0]))
    assert done.n_bytes == own
    assert len(counted.requests) <= 9
    assert counted.n_bytes <= share * own, (counted.n_bytes / own, counted.requests)
