"""A revision, pushed to a stand-in for the hub by huggingface_hub's own client."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load

from tests.exchanged import drawn, ledger_of, recorded, tiny_model
from tests.stand_in_hub import hub_on_loopback
from unlearnlog.errors import UsageError
from unlearnlog.models.hub_push import check_repository, with_front_matter

NAME = "somebody/without-picasso"
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def at(tmp_path):
    model = tiny_model(tmp_path / "model", torch.float16)
    (model / "README.md").write_text("---\nlicense: openrail\n---\n# A model\n")
    made = ledger_of(tmp_path / "ledger", model)
    return recorded(made, drawn(made.model.base))


@pytest.fixture
def hub():
    with hub_on_loopback() as served:
        yield served


def push(at, hub, *words):
    """Push in a process of its own, whose hub is the stand-in."""
    home = {"HF_ENDPOINT": hub.url, "HF_TOKEN": "hf_secret", "HF_HUB_OFFLINE": "0"}
    command = ["push-model", "HEAD", *words, "--ledger", str(at.folder), "--json"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-m", "unlearnlog", *command],
        env={**os.environ, **home, "HF_HUB_DISABLE_XET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout), done.stderr


@pytest.mark.slow
def test_a_push_is_a_dry_run_first_and_private_unless_said(at, hub):
    code, row, said = push(at, hub, NAME)

    assert (code, row["pushed"], row["private"]) == (0, False, True)
    assert hub.asked == []
    assert "nothing was sent; add --yes" in said

    code, row, said = push(at, hub, NAME, "--yes")

    assert (code, row["pushed"]) == (0, True), said
    assert hub.private == {NAME: True}
    files = hub.files[NAME]
    assert {name: len(data) for name, data in files.items()} == {
        file["name"]: file["bytes"] for file in row["files"]
    }
    state = at.weights(at.head)
    unet = load(files[UNET])
    assert all(torch.equal(unet[n.removeprefix("unet.")], t) for n, t in state.items())
    card = files["README.md"].decode()
    assert card.startswith("---\nlicense: openrail\nlibrary_name: diffusers\n")
    assert "Picasso" in card
    assert hub.messages == ["model without Picasso"]
    assert hub.tokens == {"Bearer hf_secret", ""}


@pytest.mark.slow
def test_a_public_repository_is_refused_until_it_is_said(at, hub):
    hub.private[NAME] = False
    hub.files[NAME] = {"old.safetensors": b"weights from before", "README.md": b""}

    code, row, _ = push(at, hub, NAME, "--yes")

    assert code == 2
    assert "exists and is public; nothing was sent" in row["error"]["message"]
    assert hub.files[NAME]["old.safetensors"] == b"weights from before"

    code, row, said = push(at, hub, NAME, "--yes", "--public", "-m", "For the estate")

    assert (code, row["pushed"], row["private"]) == (0, True, False), said
    assert "old.safetensors" not in hub.files[NAME]
    assert hub.messages == ["For the estate"]


@pytest.mark.parametrize("name", ["picasso", "a/b/c", "a/..b", "a/b c", "-a/b"])
def test_what_is_no_repository_is_refused_before_anything_is_made(name):
    with pytest.raises(UsageError, match="is no repository"):
        check_repository(name)


def test_a_card_gets_what_a_hub_sorts_by_once(tmp_path):
    (tmp_path / "README.md").write_text("# Mine\n")
    (tmp_path / "README.base.md").write_text("---\nlicense: mit\nother: x\n---\n# It\n")

    with_front_matter(tmp_path)
    once = (tmp_path / "README.md").read_text()
    with_front_matter(tmp_path)

    assert once.startswith("---\nlicense: mit\nlibrary_name: diffusers\n")
    assert "other" not in once
    assert once.endswith("---\n\n# Mine\n")
    assert (tmp_path / "README.md").read_text() == once
