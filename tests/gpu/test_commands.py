"""Every command on a GPU, in each dtype, beside the same on the CPU: ``make gpu``.

`UNLEARNLOG_TEST_DEVICE=cpu` runs the suite without one.
"""

from __future__ import annotations

import gc
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from unlearnlog.api import Ledger
from unlearnlog.core.entry import Entry
from unlearnlog.errors import UnlearnlogError
from unlearnlog.models.interface import Sampling

pytestmark = [pytest.mark.gpu, pytest.mark.filterwarnings("default")]

DTYPES = ("float32", "bfloat16", "float16")
TOLERANCE = {"float32": 0.02, "bfloat16": 0.25, "float16": 0.05}
"""Largest distance of a trained change from that of the CPU, as a share of its norm."""

SHARES = {"float32": 0.05, "bfloat16": 0.2, "float16": 0.1}
"""Largest difference of a reading that is a share of pictures."""

POLICY = """
name = "small"
judge = "auto"
[eraser]
name = "{eraser}"
{settings}
[sampling]
steps = 6
guidance = 3.0
[probes]
erased = 2
renamed = 1
family = 1
kept = 1
kept_share = 0.2
information = 8
nodes = 1
"""
TRAINED = "steps = 12\nn_pictures = 32\nbatch = 8"
ERASERS = {
    "uce": "",
    "mim": "max_steps = 12\nn_pictures = 32\nbatch = 8",
    "esd": TRAINED,
}


def policy(folder: Path, eraser: str) -> str:
    file = folder.parent / f"{eraser}.toml"
    file.write_text(POLICY.format(eraser=eraser, settings=ERASERS[eraser]))
    return str(file)


def added(folder: Path, eraser: str, device: str, dtype: str) -> Ledger:
    """Erase Picasso in a new ledger; whatever the verdict, it is recorded."""
    folder.mkdir(parents=True)
    ledger = Ledger.open(folder, may_create=True, device=device, dtype=dtype)
    ledger.add("Picasso", policy=policy(folder, eraser), accept_undecided=True)
    return ledger


def change_of(ledger: Ledger) -> dict[str, torch.Tensor]:
    entry = ledger.entries()[-1]
    assert entry.delta is not None
    delta = ledger.chain.delta(entry.delta.digest)
    return {name: patch.dense().double() for name, patch in delta.patches.items()}


def shares_of(entry: Entry) -> dict[tuple[str, str], float]:
    return {
        (r.probe, r.concept): r.value for r in entry.readings if r.unit in {"", "share"}
    }


@pytest.fixture(scope="module")
def on_cpu(tmp_path_factory):
    """What the CPU records in float32, by eraser."""
    folder = tmp_path_factory.mktemp("cpu")
    return {name: added(folder / name, name, "cpu", "float32") for name in ERASERS}


@pytest.fixture(scope="module", params=DTYPES)
def dtype(request):
    return request.param


@pytest.fixture(scope="module")
def ledger(device, dtype, tmp_path_factory):
    """A ledger with one erasure, made on the device."""
    return added(tmp_path_factory.mktemp(dtype) / "one", "uce", device, dtype)


@pytest.mark.parametrize("eraser", ERASERS)
def test_an_erasure_is_that_of_the_cpu(
    device, dtype, eraser, on_cpu, tmp_path, figures
):
    begin = time.monotonic()
    ledger = added(tmp_path / "here", eraser, device, dtype)

    figures(f"add {eraser} {dtype}, s", round(time.monotonic() - begin, 2))
    found, wanted = change_of(ledger), change_of(on_cpu[eraser])
    apart = sum(float((found[n] - w).norm() ** 2) for n, w in wanted.items()) ** 0.5
    whole = sum(float(w.norm() ** 2) for w in wanted.values()) ** 0.5
    figures(f"distance of {eraser} {dtype}", round(apart / whole, 5))
    assert apart <= TOLERANCE[dtype] * whole
    mine = shares_of(ledger.entries()[-1])
    for key, value in shares_of(on_cpu[eraser].entries()[-1]).items():
        assert mine[key] == pytest.approx(value, abs=SHARES[dtype] + 2 / 16), key


COMMANDS = (
    'paint "a boat by Picasso" --at base --at HEAD -n 4 -o boats.png',
    "probe HEAD --policy uce.toml",
    "audit MODEL --policy uce.toml",
    "audit --finetune unrelated --steps 4 --policy uce.toml",
    "attack --policy uce.toml --attack recovery --budget small",
    "diff base HEAD --policy uce.toml",
    "graph",
    "drift",
    "report -o report.html",
    "export HEAD --format kohya -o change.safetensors --policy uce.toml",
    "revert HEAD --policy uce.toml",
    "checkout HEAD -o elsewhere",
    "show HEAD",
    "fsck",
)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_runs(device, dtype, ledger, line, typed, tmp_path, monkeypatch):
    """An audit or a revert may be refused by the small policy: that is its verdict."""
    shutil.copytree(ledger.folder, tmp_path, dirs_exist_ok=True)
    shutil.copy(ledger.folder.parent / "uce.toml", tmp_path)
    monkeypatch.setenv("UNLEARNLOG_DEVICE", device)
    monkeypatch.setenv("UNLEARNLOG_DTYPE", dtype)
    if "MODEL" in line:
        ledger.checkout("HEAD", folder=tmp_path / "MODEL")

    done = typed(*shlex.split(line))

    assert done.code in {0, 3}, done.err
    assert "Traceback" not in done.err


def test_pictures_are_those_of_the_cpu(dtype, ledger, on_cpu, figures):
    def pictures(of):
        sheet = of.paint("a boat by Picasso", "base", n=8)
        return torch.tensor(np.asarray(sheet)).double()

    apart = (pictures(ledger) - pictures(on_cpu["uce"])).abs().mean()

    figures(f"pictures {dtype}, mean distance of 255", round(float(apart), 3))
    assert apart <= {"float32": 0.5, "bfloat16": 12, "float16": 3}[dtype]


@pytest.mark.skipif("torch.cuda.device_count() == 0")
def test_memory_is_free_after_use(dtype, ledger, figures):
    model = ledger.place.model
    prompts = ["a boat"] * 32
    how = Sampling(2, 3.0)
    model.paint(prompts[:2], range(2), sampling=how)
    gc.collect()
    before = torch.cuda.memory_allocated()

    model.paint(prompts, range(32), sampling=how)
    learner = model.learner("full", generator=torch.Generator())
    del learner
    gc.collect()

    figures(f"peak {dtype}, MiB", torch.cuda.max_memory_allocated() // 2**20)
    assert torch.cuda.memory_allocated() <= before + 2**20


@pytest.mark.skipif("torch.cuda.device_count() == 0")
def test_memory_that_runs_out_is_answered_by_what_to_set(ledger):
    """A share of the GPU's memory is all that this process may have for a moment."""
    model = ledger.place.model
    room = torch.cuda.mem_get_info()[1]
    torch.cuda.empty_cache()
    share = (torch.cuda.memory_allocated() + 8 * 2**20) / room
    torch.cuda.set_per_process_memory_fraction(share)
    try:
        with pytest.raises(UnlearnlogError, match="not enough memory") as caught:
            model.paint(["a boat"] * 1024, range(1024), sampling=Sampling(2, 3.0, 1024))
    finally:
        torch.cuda.set_per_process_memory_fraction(1.0)

    assert "lower the batch in the policy" in caught.value.fix
    assert "--dtype bfloat16" in caught.value.fix


@pytest.mark.skipif(
    "torch.cuda.device_count() < 2", reason="there are not several GPUs"
)
def test_several_gpus_share_a_command(tmp_path, figures):
    """One process a GPU; the change is that of one process with one GPU."""
    n = torch.cuda.device_count()
    file = tmp_path / "esd.toml"
    settings = f"steps = 12\nn_pictures = 32\nbatch = {8 * n}\nmicro_batches = {n}"
    file.write_text(POLICY.format(eraser="esd", settings=settings))
    words = ["add", "Picasso", "--policy", str(file), "--device", "cuda"]
    words += ["--accept-undecided"]
    launch = [sys.executable, "-m", "torch.distributed.run", f"--nproc-per-node={n}"]
    changes = []
    for name, before in (("one", [sys.executable]), ("all", launch)):
        folder, begin = tmp_path / name, time.monotonic()
        folder.mkdir()
        command = [*before, "-m", "unlearnlog", *words]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        figures(f"add esd, {name}, s", round(time.monotonic() - begin, 2))
        changes.append(change_of(Ledger.open(folder)))

    for tensor, value in changes[0].items():
        assert torch.equal(changes[1][tensor], value), tensor
