"""Which tool loads which format of an export: modules found, and error of the weights.

``python -m benchmarks.conformance --forge DIR --sd-scripts DIR --invokeai DIR --old
PYTHON --sd-scripts-python PYTHON`` measures the tools that are given, diffusers always,
and writes `RESULTS`, which ``docs/make.py`` shows. The networks have the blocks and the
names of Stable Diffusion 1.5, 2.1 and XL, and a tenth of their widths.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from benchmarks import client_drivers
from benchmarks.suite import laid_out
from unlearnlog.checkpoints.comfyui_patch import patch_of, patched
from unlearnlog.checkpoints.export_formats import COMFYUI
from unlearnlog.checkpoints.fused_factors import Fusing
from unlearnlog.checkpoints.lora_keys import read
from unlearnlog.checkpoints.lora_writer import FORMATS, KOHYA_DIFFUSERS, written
from unlearnlog.checkpoints.original_layout import NETWORK, network_layout
from unlearnlog.models.families import FAMILIES
from unlearnlog.models.model_family import ModelFamily

RESULTS: Final = Path(__file__).parent / "results" / "conformance.json"
RANK: Final = 4
_BLOCKS: Final[Mapping[str, Mapping[str, Any]]] = {
    "1.5": {"attention_head_dim": 8},
    "2.1": {"attention_head_dim": [4, 8, 8, 8], "use_linear_projection": True},
}
_XL: Final[Mapping[str, Any]] = {
    "block_out_channels": (64, 128, 256),
    "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
    "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
    "transformer_layers_per_block": (1, 2, 10),
    "attention_head_dim": (1, 2, 4),
    "use_linear_projection": True,
    "cross_attention_dim": 2048,  # sd-scripts' class has no other
    "addition_embed_type": "text_time",
    "addition_time_embed_dim": 8,
    "projection_class_embeddings_input_dim": 64,
}


@dataclass(frozen=True)
class Client:
    """A tool whose code loads a file.

    Attributes:
        name: Its name, with its version.
        driver: The program that calls it.
        python: The Python that runs it.
        code: Folder of its source; empty for an installed one.
    """

    name: str
    driver: str
    python: str = sys.executable
    code: str = ""


@dataclass(frozen=True)
class Erased:
    """A network with a change of every text projection.

    Attributes:
        model: Its name.
        family: Its family.
        base: Every tensor by full name.
        state: The changed tensors by full name.
        pairs: Their factors.
        config: The network's configuration.
    """

    model: str
    family: ModelFamily
    base: dict[str, torch.Tensor]
    state: dict[str, torch.Tensor]
    pairs: dict[str, tuple[torch.Tensor, torch.Tensor]]
    config: dict[str, Any]

    @classmethod
    def of(cls, model: str) -> Erased:
        """Build a network, seeded, and draw a change."""
        torch.manual_seed(0)
        usual = {"block_out_channels": (64, 128, 256, 256), "norm_num_groups": 32}
        sizes = _XL if model == "xl" else _BLOCKS[model]
        unet: Any = UNet2DConditionModel(
            **{"cross_attention_dim": 64, **usual, **sizes}
        )
        base = {f"unet.{n}": t.detach() for n, t in unet.state_dict().items()}
        kind = "XL" if model == "xl" else ""
        name = f"StableDiffusion{kind}Pipeline"
        (family,) = (each for each in FAMILIES if each.pipeline == name)
        pairs = {
            key: (
                0.1 * torch.randn(len(base[key]), RANK),
                0.1 * torch.randn(RANK, base[key].shape[1]),
            )
            for key in family.projections_of(base)
        }
        state = {key: base[key] + left @ right for key, (left, right) in pairs.items()}
        return cls(model, family, base, state, pairs, dict(unet.config))

    @property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of every tensor."""
        return {name: tensor.shape for name, tensor in self.base.items()}

    def formats(self) -> dict[str, dict[str, torch.Tensor]]:
        """Return the tensors of the file in each format."""
        fusing = Fusing({}, self.shapes)
        names = (*FORMATS, *((KOHYA_DIFFUSERS,) if self.model == "xl" else ()))
        found = {name: written(self.pairs, name, fusing) for name in names}
        base = {name: self.base[name] for name in self.state}
        found[COMFYUI] = patch_of(self.family, base, self.state, self.shapes)
        return found

    def ours(self, spelling: str, tensors: dict[str, torch.Tensor]) -> dict[str, float]:
        """Return the cell of our own reader."""
        if spelling == COMFYUI:
            found = patched(tensors, self.base, self.family, self.shapes)
        else:
            shapes = {name: self.shapes[name] for name in self.state}
            pairs = read(tensors, shapes)
            found = {
                n: self.base[n] + left @ right for n, (left, right) in pairs.items()
            }
        return self.cell(found)

    def cell(self, found: Mapping[str, torch.Tensor]) -> dict[str, float]:
        """Return how many modules are changed, and the largest error of the rest.

        Args:
            found: Tensors by full name, as a tool computed them.
        """
        matched, worst = 0, 0.0
        for name, wanted in self.state.items():
            change = (
                found.get(name, self.base[name]).double() - self.base[name].double()
            )
            if not change.any():
                continue
            expected = wanted.double() - self.base[name].double()
            matched += 1
            worst = max(worst, float((change - expected).norm() / expected.norm()))
        return {"matched": matched, "of": len(self.state), "error": worst}

    def save(self, folder: Path) -> None:
        """Write the network under both names, and its configuration."""
        inner = {n.removeprefix("unet."): t.contiguous() for n, t in self.base.items()}
        layout = network_layout(self.family, self.shapes)
        old = {
            key.removeprefix(NETWORK): tensor.made(self.base.__getitem__).contiguous()
            for key, tensor in layout.items()
        }
        save_file(inner, folder / "diffusers.safetensors")
        save_file(old, folder / "original.safetensors")
        (folder / "unet.json").write_text(json.dumps(self.config, default=list))

    def named(self, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Return a tool's weights by full name, whichever of the names it has."""
        layout = network_layout(self.family, self.shapes)
        found = {}
        for key, tensor in tensors.items():
            if f"unet.{key}" in self.base:
                found[f"unet.{key}"] = tensor
            elif NETWORK + key in layout:
                found |= layout[NETWORK + key].split(tensor, self.shapes)
        return found


def measured(
    client: Client, erased: Erased, folder: Path, file: Path
) -> dict[str, Any]:
    """Return the cell of a tool and a format: modules and error, or what it said."""
    out = folder / "out.safetensors"
    out.unlink(missing_ok=True)
    words = [str(folder), str(file), str(out), client.code]
    done = subprocess.run(
        [client.python, "-W", "ignore", "-c", client.driver, *words],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": "", "HF_HUB_OFFLINE": "1"},
    )
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
        return {"said": last[:200]}
    return erased.cell(erased.named(load_file(out)))


def main() -> None:
    """Measure every format in every tool that is given."""
    clients = _clients()
    rows: dict[str, Any] = {}
    if RESULTS.is_file():  # cells of tools that are not given are kept
        rows = json.loads(RESULTS.read_text(encoding="utf-8"))
    for model in (*_BLOCKS, "xl"):
        erased = Erased.of(model)
        with tempfile.TemporaryDirectory() as place:
            folder = Path(place)
            erased.save(folder)
            for spelling, tensors in erased.formats().items():
                file = folder / "change.safetensors"
                save_file({k: t.contiguous() for k, t in tensors.items()}, file)
                row = rows.setdefault(model, {}).setdefault(spelling, {})
                row["unlearnlog"] = erased.ours(spelling, tensors)
                for client in clients:
                    row[client.name] = measured(client, erased, folder, file)
                    print(model, spelling, client.name, row[client.name], flush=True)
                RESULTS.write_text(laid_out(rows), encoding="utf-8")


def _clients() -> list[Client]:
    asked = argparse.ArgumentParser(description=__doc__)
    for name in ("forge", "sd-scripts", "invokeai", "old", "sd-scripts-python"):
        asked.add_argument(f"--{name}", default="")
    given = asked.parse_args()
    own = f"diffusers {version('diffusers')}"
    found = [Client(own, client_drivers.DIFFUSERS)]
    if given.old:
        say = "from importlib.metadata import version; print(version('diffusers'))"
        old = subprocess.check_output([given.old, "-c", say], text=True).strip()
        found.append(Client(f"diffusers {old}", client_drivers.DIFFUSERS, given.old))
    if given.forge:
        name = f"ComfyUI's loader in Forge {_commit(given.forge)}"
        found.append(Client(name, client_drivers.FORGE, code=given.forge))
    if given.invokeai:
        found.append(Client("InvokeAI", client_drivers.INVOKEAI, code=given.invokeai))
    if given.sd_scripts:
        name = f"sd-scripts {_commit(given.sd_scripts)}"
        python = given.sd_scripts_python or sys.executable
        driver = client_drivers.SD_SCRIPTS
        found.append(Client(name, driver, python, given.sd_scripts))
    return found


def _commit(folder: str) -> str:
    words = ["git", "-C", folder, "rev-parse", "--short=8", "HEAD"]
    return subprocess.check_output(words, text=True).strip()


if __name__ == "__main__":
    main()
