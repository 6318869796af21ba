"""An erasure of the bundled model, given away and judged where it is loaded."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
import torch

from unlearnlog.atelier.bundled_model import FOLDER, bundled_judge
from unlearnlog.checkpoints.lora_writer import FORMATS
from unlearnlog.commands.session_opening import open_session
from unlearnlog.models.interface import Painted

PAINTER = """
import json
import sys
import torch
from diffusers import StableDiffusionPipeline
from safetensors.torch import load_file, save_file

model, asked, out, *files = sys.argv[1:]
pipe = StableDiffusionPipeline.from_pretrained(model)
pipe.set_progress_bar_config(disable=True)
prompts = json.load(open(asked + ".json"))
latents = load_file(asked + ".safetensors")["latents"]

def painted():
    found = []
    for i in range(0, len(prompts), 16):
        part = slice(i, i + 16)
        found.append(torch.from_numpy(pipe(
            prompts[part], latents=latents[part], num_inference_steps=10,
            guidance_scale=3.0, output_type="np").images))
    return (torch.cat(found) * 255).round().to(torch.uint8)

pictures = {"base": painted()}
for file in files:
    pipe.load_lora_weights(file)
    pictures[file] = painted()
    pipe.unload_lora_weights()
assert "unlearnlog" not in sys.modules
save_file(pictures, out)
"""


@pytest.mark.slow
def test_what_a_plain_pipeline_paints_with_the_export_no_longer_shows_it(
    typed, tmp_path
):
    row = typed("add", "Picasso", "--json").json()
    files = [str(tmp_path / f"{spelling}.safetensors") for spelling in FORMATS]
    for spelling, file in zip(FORMATS, files, strict=True):
        done = typed("export", "HEAD", "-o", file, "--format", spelling, "--json")
        assert done.json()["fidelity"] >= 0.98, done.err
    at = open_session(tmp_path)
    cells = at.book().erased(at.world.concepts["Picasso"])
    latents = torch.stack([at.model.latent(cell.prompt, cell.seed) for cell in cells])

    pictures = plainly_painted(tmp_path, [c.prompt for c in cells], latents, files)

    def erased(which):
        answers = bundled_judge().judged(Painted(latents, pictures[which]))
        return sum(answer.style != "Picasso" for answer in answers) / len(answers)

    state = next(r["value"] for r in row["readings"] if r["probe"] == "ua")
    assert erased("base") <= 0.05
    for file in files:
        assert erased(file) >= 0.95 * state


def plainly_painted(folder, prompts, latents, files):
    """Paint with plain diffusers, in a process that knows nothing of the ledger."""
    from safetensors.torch import load_file, save_file

    (folder / "asked.json").write_text(json.dumps(prompts))
    save_file({"latents": latents}, folder / "asked.safetensors")
    words = [str(FOLDER), str(folder / "asked"), str(folder / "out"), *files]
    subprocess.run([sys.executable, "-W", "ignore", "-c", PAINTER, *words], check=True)
    return load_file(folder / "out")
