"""A checkout, loaded by the oldest diffusers and transformers of two years."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from tests.exchanged import BLIND, drawn, ledger_of, recorded
from unlearnlog import Ledger

OLDEST = (
    "diffusers==0.32.0",
    "transformers==4.47.0",
    "peft==0.13.2",
    "huggingface_hub<1",
)
"""The first releases after November 2024 that pip still installs, with their peft."""

KEPT = os.environ.get("UNLEARNLOG_OLD_ENVIRONMENT", "")
"""Folder of such an environment, which is kept; else one is made for the test."""

SCRIPT = """
import json
import os
import sys
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import save_file

folder, lora, single, out, *prompts = sys.argv[1:]
pipe = StableDiffusionPipeline.from_pretrained(folder)
pipe.set_progress_bar_config(disable=True)
ids = pipe.tokenizer(prompts).input_ids
weights = {n: p.detach().clone() for n, p in pipe.unet.named_parameters()}
latents = torch.randn(1, pipe.unet.config.in_channels, 8, 8,
                      generator=torch.Generator().manual_seed(0))
picture = pipe(prompts[0], latents=latents, num_inference_steps=2, guidance_scale=3.0,
               output_type="np").images
again = StableDiffusionPipeline.from_single_file(
    single, config=folder, local_files_only=True)
same = all(torch.equal(p, weights[n]) for n, p in again.unet.named_parameters())
base = StableDiffusionPipeline.from_pretrained(sys.argv[1] + "-base")
base.load_lora_weights(os.path.dirname(lora), weight_name=os.path.basename(lora))
base.fuse_lora()
base.unload_lora_weights()
fused = dict(base.unet.named_parameters())
far = max(float((p - weights[n]).abs().max()) for n, p in fused.items())
save_file(weights, out)
print(json.dumps({"ids": ids, "same": same, "far": far, "shape": list(picture.shape),
                  "finite": bool((picture == picture).all())}))
"""


def installed(folder: Path) -> Path:
    """Return the Python of an environment with the oldest libraries; skip without."""
    if KEPT:
        return Path(KEPT) / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    python = folder / "bin" / "python"
    words = ["-m", "pip", "install", "-q", "--no-input", "torch", *OLDEST]
    done = subprocess.run(
        [str(python), *words], capture_output=True, text=True, check=False
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        pytest.skip(f"pip cannot install {' '.join(OLDEST)}: {last}")
    return python


@pytest.mark.slow
def test_a_checkout_loads_in_the_oldest_libraries_of_two_years(tmp_path):
    """transformers 4.54, which sd-scripts pins, could not read the tokenizer."""
    made = ledger_of(tmp_path / "ledger", Path("atelier"))
    recorded(made, drawn(made.model.base, scale=0.01))
    ledger = Ledger.open(tmp_path / "ledger")
    ledger.checkout("HEAD", tmp_path / "out")
    ledger.checkout("base", tmp_path / "out-base")
    lora, single = tmp_path / "lora.safetensors", tmp_path / "one.safetensors"
    ledger.export("HEAD", lora, energy=1.0, policy=BLIND)
    ledger.export("HEAD", single, spelling="checkpoint", policy=BLIND)
    prompts = ("a painting of a cat by Picasso", "Émile's 3 dogs")
    python = installed(tmp_path / "environment")

    paths = map(str, (tmp_path / "out", lora, single, tmp_path / "weights.safetensors"))
    done = subprocess.run(
        [str(python), "-W", "ignore", "-c", SCRIPT, *paths, *prompts],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"},
    )

    assert done.returncode == 0, done.stderr[-2000:]
    row = json.loads(done.stdout.splitlines()[-1])
    model = ledger.place.model
    assert row["ids"] == next(iter(model.tokenizers.values()))(list(prompts)).input_ids
    chain = ledger.chain
    state = chain.weights(chain.resolve("HEAD"), model.base)
    theirs = load_file(tmp_path / "weights.safetensors")
    for name, tensor in state.items():
        assert torch.equal(theirs[name.removeprefix("unet.")], tensor.float())
    assert row["same"]
    assert row["far"] < 1e-3
    assert row["finite"]
    assert row["shape"][1:] == list(model.picture_shape)
