"""Every way to a limit that fails: refused, nothing recorded, nothing claimed."""

from __future__ import annotations

import json

import pytest
import torch
from safetensors.torch import save_file

from unlearnlog import Ledger
from unlearnlog.checkpoints import lora_writer
from unlearnlog.core.low_rank import Spectrum
from unlearnlog.core.patch import LowRank
from unlearnlog.policy import Policy

POLICY = """
name = "{name}"
[eraser]
name = "ridge"
[sampling]
steps = 2
guidance = 3.0
[probes]
erased = 6
renamed = 0
family = 0
alike = 0
kept = 1
kept_share = 0.1
earlier = 6
information = 0
[require]
base_presence = 0.3
[export]
fidelity = 0.98
"""

LIMITS = """
[[limits]]
reading = "ua"
at_least = 0.9
[[limits]]
reading = "presence"
at_most = 0.25
optional = true
[[limits]]
reading = "attack.recovery"
at_most = 0.25
optional = true
"""

WEAK = ("--set", "erase_scale=0.0000001")
"""A strength at which `ridge` leaves everything where it is."""

WAYS = {
    "add": (("add", "Hokusai", "--policy", "asks.toml", *WEAK), 3),
    "import": (
        ("import", "lora.safetensors", "--concept", "Hokusai", "--policy", "asks.toml"),
        3,
    ),
    "compose": (("compose", "other", "--policy", "asks.toml"), 3),
    "revert": (("revert", "cat", "--policy", "asks.toml"), 3),
    "audit": (("audit", "base", "--policy", "asks.toml"), 3),
    "attack": (
        *(("attack", "--concept", "cat", "--attack", "recovery", "--policy"),),
        3,
    ),
    "rebase": (
        *(("rebase", "--onto", "base", "-o", "anew", "--policy", "asks.toml"),),
        3,
    ),
    "export": (
        *(("export", "cat", "-o", "x.safetensors", "--energy", "0.01", "--policy"),),
        5,
    ),
}
"""What is typed, and the exit code; the policy comes last."""

DOUBTING = ("add", "import", "audit", "rebase")
"""Commands that take --accept-undecided."""


@pytest.fixture(scope="module")
def ledger(tmp_path_factory):
    """The cat and Klimt are gone; Picasso is said to be, by a policy that asks nothing.

    On another branch Monet is said to be.
    """
    folder = tmp_path_factory.mktemp("refused")
    lenient, asks = folder / "lenient.toml", folder / "asks.toml"
    lenient.write_text(POLICY.format(name="lenient"))
    asks.write_text(POLICY.format(name="asks") + LIMITS)
    made = Ledger.open(folder, may_create=True)
    made.add("cat", "Klimt", policy=str(asks))
    made.chain.create_tag("cat")
    made.checkout("base", folder / "base")
    weak = Policy.load(str(lenient)).saying(settings=(WEAK[1],))
    made.chain.create_branch("other")
    made.chain.switch("other")
    made.add("Monet", policy=weak)
    made.chain.switch("main")
    made.add("Picasso", policy=weak)
    base = made.place.model.base
    name = next(iter(base))
    rng = torch.Generator().manual_seed(1)
    patch = LowRank(
        1e-3 * torch.randn(base[name].shape[0], 1, generator=rng),
        torch.randn(1, base[name].shape[1], generator=rng),
    )
    factors = {name: Spectrum.of([patch]).factors(1)}
    save_file(lora_writer.written(factors, "diffusers"), folder / "lora.safetensors")
    return folder


@pytest.mark.slow
@pytest.mark.parametrize(
    ("way", "accepting"),
    [*((way, False) for way in WAYS), *((way, True) for way in DOUBTING)],
)
def test_what_does_not_hold_is_refused_and_not_recorded(
    ledger, typed, monkeypatch, way, accepting
):
    """`import` of an unrelated LoRA as Picasso read UA 0.000 (0 to .041), n = 90. It
    was called undecided, and with --accept-undecided every list said "erased".
    """
    monkeypatch.chdir(ledger)
    words, code = WAYS[way]
    words = words if "asks.toml" in words else (*words, "asks.toml")
    before = typed("log", "--json").json()

    done = typed(*words, "--json", *(["--accept-undecided"] if accepting else []))

    assert done.code == code, done.err
    assert typed("log", "--json").json() == before
    assert not (ledger / "x.safetensors").exists()
    assert not (ledger / "anew").exists()
    for line in done.out.splitlines():
        verdict = json.loads(line).get("verdict", {"passed": False, "accepted": False})
        assert (verdict["passed"], verdict["accepted"]) == (False, False)
    assert " erased in " not in done.out + done.err


@pytest.mark.slow
def test_what_no_policy_asked_about_is_not_claimed_where_pictures_show_it(
    ledger, typed, monkeypatch, tmp_path
):
    monkeypatch.chdir(ledger)

    status = typed("status", "--json").json()

    assert status["erased"] == ["cat", "Klimt"]
    assert "pictures show it" in status["in_doubt"]["Picasso"][0]
    assert "in doubt: Picasso" in typed("status").out
    done = typed("checkout", "HEAD", "-o", str(tmp_path / "model"))
    assert done.code == 0, done.err
    card = (tmp_path / "model" / "README.md").read_text()
    assert "Erased: cat, Klimt." in card
    assert "- Picasso: " in card
    for form in ("html", "md", "json"):
        page = tmp_path / f"page.{form}"
        typed("report", "--pictures", "0", "-o", str(page))
        assert "2 concepts erased from atelier, 1 more in doubt" in page.read_text()
