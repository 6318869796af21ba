"""What every eraser computes, and what an export writes, on a tiny model.

Bits are those of one kind of processor and of one version of torch; elsewhere the sizes
of the changes are held, to a part in a hundred.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch
from diffusers import UNet2DConditionModel

from tests.golden.held import HERE, held
from unlearnlog.commands import add, joint_set
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import init, open_session
from unlearnlog.core.delta import Delta
from unlearnlog.core.digest import digest_of
from unlearnlog.erasers.eraser_table import ERASERS
from unlearnlog.policy import Policy

pytestmark = pytest.mark.filterwarnings(
    "ignore:this ledger recorded only the tensors of its base:UserWarning"
)

SMALL = {
    **dict.fromkeys(("n_kept", "n_family", "steps", "batch", "warm_up"), 2),
    **dict.fromkeys(("every", "looks", "foresight"), 2),
    "n_pictures": 18,
    "max_steps": 4,
}
"""Settings of erasers that are trained, as small as shows all of what they do."""

CAPABILITY = torch.backends.cpu.get_cpu_capability()
WHERE = f"{platform.machine()} {CAPABILITY}, torch {torch.__version__.split('+')[0]}"
SLOW = {"mim", "mim-unique", "hybrid"}


@pytest.fixture(autouse=True)
def _one_thread():
    """Compute with one thread: sums of several have other last bits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def trains(golden_base) -> str:
    """Return the kind of processor by the bits of a step of diffusers' own UNet.

    Processors of one capability choose other kernels of convolutions, and so other last
    bits of gradients.
    """
    torch.set_num_threads(1)
    net = UNet2DConditionModel.from_pretrained(golden_base / "unet")
    draw = torch.Generator().manual_seed(0)
    side = net.config.sample_size
    latents = torch.randn(2, net.config.in_channels, side, side, generator=draw)
    text = torch.randn(2, 8, net.config.cross_attention_dim, generator=draw)
    net(latents, torch.tensor([1, 500]), text).sample.square().mean().backward()
    grads = [each.grad for each in net.parameters() if each.grad is not None]
    bits = b"".join(grad.numpy().tobytes() for grad in grads)
    return f"{WHERE}, steps as {digest_of(bits)[:12]}"


@pytest.fixture(scope="module")
def at(golden_base, tmp_path_factory) -> Session:
    folder = tmp_path_factory.mktemp("computed")
    init(folder, str(golden_base))
    return open_session(folder, concepts=HERE / "concepts.toml")


@cache
def blind(eraser: str) -> Policy:
    said = {
        "name": "blind",
        "judge": "none",
        "eraser": {"name": eraser},
        "sampling": {"steps": 2, "guidance": 1.0},
        "probes": {"erased": 1, "renamed": 0, "family": 0, "kept": 1, "information": 0},
    }
    return Policy.of(said, "blind")


def computed(at: Session, eraser: str) -> Delta:
    """Return what an eraser makes of Picasso."""
    concept = at.world.concept("Picasso")
    plan = add.plan_of(at, add.AddRequest((concept,), blind(eraser)))
    if plan.eraser.joint:
        group = joint_set.group_of(at, plan.eraser).holding([concept])
        delta = joint_set.set_to(at, group)[1]
        assert delta is not None
        return delta
    known: dict[str, Any] = {**plan.eraser.settings}
    small: dict[str, Any] = {
        name: value
        for name, value in SMALL.items()
        if name in known and known[name] > value
    }
    return replace(plan.eraser, **small).erase(plan.request)


def norms(delta: Delta) -> dict[str, float]:
    """Return the size of the change of every tensor."""
    return {
        name: float(patch.dense().double().norm())
        for name, patch in sorted(delta.patches.items())
    }


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.slow if name in SLOW else ())
        for name in ERASERS
    ],
)
def test_an_eraser_computes_what_it_computed(at, name, trains):
    delta = computed(at, name)
    where = WHERE if ERASERS[name].joint else trains

    size = held("sizes", name, norms(delta))
    assert size == pytest.approx(norms(delta), rel=0.01)
    digests = held("deltas", name, {where: delta.digest})
    if where in digests:
        assert digests[where] == delta.digest


@pytest.mark.parametrize("spelling", ["diffusers", "kohya"])
def test_an_export_has_the_bytes_that_it_had(kept, typed, spelling):
    rules = ("--policy", str(HERE / "small.toml"), "--judge", "none")
    out = kept / "out.safetensors"

    done = typed(
        *("export", "HEAD", "--ledger", str(kept), "--format", spelling),
        *("-o", str(out), *rules),
    )

    assert done.code == 0, done.err
    digests = held("exports", spelling, {WHERE: digest_of(out.read_bytes())})
    if WHERE in digests:
        assert digests[WHERE] == digest_of(out.read_bytes())
