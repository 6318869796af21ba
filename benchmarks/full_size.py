"""Peak memory and time of erasures at the size of Stable Diffusion 3.5 medium.

The pipeline has random weights in bfloat16, 16 GB on disk, which are removed at the
end. Each command runs in a process of its own, as a user types it: a dry run, an
erasure by a closed form, and the checkout. Peak memory is the process's resident set.

Exits with 1 if a command needs more than the limit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Final, TypeAlias

import torch
from diffusers import (
    AutoencoderKL,
    FlowMatchEulerDiscreteScheduler,
    ModelMixin,
    SD3Transformer2DModel,
)
from safetensors.torch import save_file
from torch import Tensor
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    PreTrainedModel,
    T5Config,
    T5EncoderModel,
)

from benchmarks.suite import RESULTS
from tests.tiny import tokenizer_of_bytes
from tests.tiny_families import t5_tokenizer
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.concepts.prompts import PromptBook

Network: TypeAlias = ModelMixin | PreTrainedModel

RESULT: Final = RESULTS / "full_size.json"
MOST_BYTES: Final = 24 * 10**9
SIDE: Final = 512
"""Side of a painted picture in pixels."""

SHARD_BYTES: Final = 2 * 10**9
SPREAD: Final = 0.02
"""Standard deviation of random matrices."""

POLICY: Final = """
name = "full-size"
judge = "none"
[eraser]
name = "ridge"
n_prompts = 1
[sampling]
steps = 2
guidance = 4.5
[probes]
erased = 1
renamed = 0
family = 0
alike = 0
kept = 1
kept_share = 0.1
information = 0
[require]
base_presence = 0.0
"""

CONCEPTS: Final = """
[anchors]
style = "photo"
subject = "scene"
[families.cubism]
kind = "style"
word = "cubist"
[families.animal]
kind = "subject"
word = "animal"
[concepts.Picasso]
family = "cubism"
look_alikes = ["Braque"]
[concepts.Braque]
family = "cubism"
[concepts.cat]
family = "animal"
[concepts.dog]
family = "animal"
"""
"""Few, since T5-XXL takes seconds a prompt; memory does not depend on their number."""


@dataclass(frozen=True)
class Run:
    """One command's costs.

    Attributes:
        seconds: Wall-clock time.
        cpu_seconds: Processor time, which other load hardly changes.
        peak_bytes: Largest resident set.
        code: Exit code.
    """

    seconds: float
    cpu_seconds: float
    peak_bytes: int
    code: int


def networks() -> Mapping[str, Network]:
    """Build the networks of the pipeline without memory for their weights."""
    ids = ("bos_token_id", "eos_token_id", "pad_token_id")
    special = {each: getattr(tokenizer_of_bytes(), each) for each in ids}
    with torch.device("meta"):
        return {
            "transformer": SD3Transformer2DModel(
                sample_size=128,
                patch_size=2,
                in_channels=16,
                out_channels=16,
                num_layers=24,
                attention_head_dim=64,
                num_attention_heads=24,
                joint_attention_dim=4096,
                caption_projection_dim=1536,
                pooled_projection_dim=2048,
                pos_embed_max_size=384,
                dual_attention_layers=tuple(range(13)),
                qk_norm="rms_norm",
            ),
            "vae": AutoencoderKL(
                block_out_channels=(128, 256, 512, 512),
                down_block_types=("DownEncoderBlock2D",) * 4,
                up_block_types=("UpDecoderBlock2D",) * 4,
                layers_per_block=2,
                latent_channels=16,
                sample_size=1024,
                scaling_factor=1.5305,
                shift_factor=0.0609,
                use_quant_conv=False,
                use_post_quant_conv=False,
            ),
            "text_encoder": CLIPTextModelWithProjection(
                CLIPTextConfig(
                    hidden_size=768,
                    intermediate_size=3072,
                    num_hidden_layers=12,
                    num_attention_heads=12,
                    projection_dim=768,
                    vocab_size=49408,
                    max_position_embeddings=77,
                    **special,
                )
            ),
            "text_encoder_2": CLIPTextModelWithProjection(
                CLIPTextConfig(
                    hidden_size=1280,
                    intermediate_size=5120,
                    num_hidden_layers=32,
                    num_attention_heads=20,
                    projection_dim=1280,
                    hidden_act="gelu",
                    vocab_size=49408,
                    max_position_embeddings=77,
                    **special,
                )
            ),
            "text_encoder_3": T5EncoderModel(
                T5Config(
                    vocab_size=32128,
                    d_model=4096,
                    d_kv=64,
                    d_ff=10240,
                    num_layers=24,
                    num_heads=64,
                    feed_forward_proj="gated-gelu",
                    is_encoder_decoder=False,
                    use_cache=False,
                )
            ),
        }


def write(folder: Path) -> int:
    """Write the pipeline as diffusers does; return its number of parameters.

    Args:
        folder: Where to.
    """
    torch.manual_seed(0)
    index: dict[str, Any] = {"_class_name": "StableDiffusion3Pipeline"}
    n_parameters = 0
    for name, network in networks().items():
        library = "transformers" if name.startswith("text") else "diffusers"
        index[name] = [library, type(network).__name__]
        n_parameters += _write_network(network, folder / name)
    clip, t5 = tokenizer_of_bytes(), t5_tokenizer()
    for name, tokenizer in (("", clip), ("_2", clip), ("_3", t5)):
        tokenizer.save_pretrained(folder / f"tokenizer{name}")
        index[f"tokenizer{name}"] = ["transformers", type(tokenizer).__name__]
    FlowMatchEulerDiscreteScheduler(shift=3.0).save_pretrained(folder / "scheduler")
    index["scheduler"] = ["diffusers", "FlowMatchEulerDiscreteScheduler"]
    (folder / "model_index.json").write_text(json.dumps(index, indent=2))
    return n_parameters


def _write_network(network: Network, folder: Path) -> int:
    """Write configuration and shards of random weights; return their number."""
    folder.mkdir(parents=True)
    if isinstance(network, ModelMixin):
        network.save_config(folder)
        stem = "diffusion_pytorch_model"
    else:
        network.config.architectures = [type(network).__name__]
        network.config.save_pretrained(folder)
        stem = "model"
    where: dict[str, str] = {}
    n_parameters = 0
    for number, shard in enumerate(_shards(network)):
        file = f"{stem}-{number:05}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        where |= dict.fromkeys(shard, file)
        n_parameters += sum(each.numel() for each in shard.values())
    whole = {"metadata": {"total_size": 2 * n_parameters}, "weight_map": where}
    (folder / f"{stem}.safetensors.index.json").write_text(json.dumps(whole))
    return n_parameters


def _shards(network: torch.nn.Module) -> Iterator[dict[str, Tensor]]:
    shard: dict[str, Tensor] = {}
    for name, empty in network.state_dict().items():
        if name == "encoder.embed_tokens.weight":  # T5's embedding, under another name
            continue
        shard[name] = _drawn(name, empty)
        if sum(each.nbytes for each in shard.values()) > SHARD_BYTES:
            yield shard
            shard = {}
    if shard:
        yield shard


def _drawn(name: str, like: Tensor) -> Tensor:
    """Return random weights of a matrix; those of a norm are one, a bias is zero."""
    if like.dim() > 1:
        return torch.empty(like.shape, dtype=torch.bfloat16).normal_(0, SPREAD)
    filled = 0.0 if name.endswith("bias") else 1.0
    return torch.full(like.shape, filled, dtype=torch.bfloat16)


def run(words: list[str], folder: Path) -> tuple[Run, str]:
    """Run a command in a process of its own; return its costs and what it prints."""
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as said:
        child = subprocess.Popen(
            [sys.executable, "-m", "unlearnlog", *words], cwd=folder, stdout=said
        )
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        printed = said.read()
    peak = usage.ru_maxrss * 1024
    cpu = usage.ru_utime + usage.ru_stime
    return Run(time.perf_counter() - began, cpu, peak, child.returncode), printed


def measured(folder: Path) -> dict[str, Any]:
    """Write the pipeline, run the commands on it, and return their costs.

    The pipeline is written in a process of its own: a child's peak memory is counted
    from its parent's on.

    Args:
        folder: For the pipeline and the ledger; 32 GB at most.
    """
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        n_parameters = apart.submit(write, folder / "model").result()
    (folder / "rules.toml").write_text(POLICY)
    (folder / "few.toml").write_text(CONCEPTS)
    book = PromptBook(ConceptSet.read(folder / "few.toml"))
    rules = ["--policy", "rules.toml", "--concepts", "few.toml", "--offload"]
    commands: dict[str, list[str]] = {
        "init": ["init", "--model", "model"],
        "config side": ["config", "set", "side", str(SIDE)],
        "config dtype": ["config", "set", "dtype", "bfloat16"],
        "add --dry-run": ["add", "Picasso", "--dry-run", *rules],
        "add": ["add", "Picasso", "--json", *rules],
        "checkout": ["checkout", "HEAD", "-o", "out"],
    }
    found: dict[str, Any] = {
        "parameters": n_parameters,
        "side": SIDE,
        "kept_prompts": len(book.keep(())),
        "commands": {},
    }
    for name, words in commands.items():
        costs, printed = run(words, folder)
        print(f"{name}: {costs}", flush=True)
        found["commands"][name] = asdict(costs)
        if costs.code:
            break
        if name == "add":
            found["erasing_s"] = json.loads(printed)["seconds"]
    found["threads"] = torch.get_num_threads()
    return found


def main() -> None:
    """Measure, write the results, and hold the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where 32 GB are free")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        found = measured(Path(folder))
    runs = found["commands"].values()
    if any(each["code"] for each in runs):
        raise SystemExit("a command failed; nothing is written")
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    raise SystemExit(any(each["peak_bytes"] > MOST_BYTES for each in runs))


if __name__ == "__main__":
    main()
