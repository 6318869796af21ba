"""Training of the transformer and its text encoders by flow matching."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from diffusers import AutoencoderKL, SD3Transformer2DModel
from diffusers.models.attention_processor import Attention
from torch import Tensor, nn
from transformers import CLIPTokenizer

from recipes.atelier.training import half_precision
from recipes.glyphs.latents import Latents, training_latents
from recipes.glyphs.long_run import LongRun, Rates
from recipes.glyphs.painting import Painter
from recipes.glyphs.text import (
    SEEDS,
    encoded,
    ids_of,
    new_text_encoder,
    taught_encoders,
    tokenizer,
)
from unlearnlog.concepts.templates import EMPTY
from unlearnlog.glyphs.glyph_captions import (
    GlyphCaption,
    called,
    caption_without,
    pair_text,
    sampled_caption,
)

SEED: Final = 53
WIDTH: Final = 256
BLOCKS: Final = 6
D_CONTEXT: Final = 256
BATCH: Final = 128
SORTED: Final = 4
"""Batches whose captions are sorted by length among each other."""

DROPOUT: Final = 0.1
RATES: Final = Rates(matrices=8e-3, rest=2e-3, slow=3e-4)
SIMPLE: Final = 0.6
"""Share of captions of one cell at the start."""

SIMPLE_STEPS: Final = 6000
"""Steps after which no more captions than usual are of one cell."""

TAILS: Final = (8, 77, 256)
"""Numbers of zero tokens beside one."""

TEXT_STEPS: Final = 600


class RepeatedTail:
    """Joint attention in which the last token of the context counts as many.

    The pipeline pads a context with zero tokens, which all stay alike; so many of them
    are one whose attention weight is multiplied.
    """

    def __call__(
        self,
        attn: Attention,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor,
        attention_mask: None = None,  # noqa: ARG002 - the caller names it
        tail: int = 1,
    ) -> tuple[Tensor, Tensor]:
        """Return the new states of the picture and of the context."""
        n = hidden_states.shape[1]
        image = [f(hidden_states) for f in (attn.to_q, attn.to_k, attn.to_v)]
        added = (attn.add_q_proj, attn.add_k_proj, attn.add_v_proj)
        words = [f(encoder_hidden_states) for f in added]
        split = [t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in image]
        others = [t.unflatten(-1, (attn.heads, -1)).transpose(1, 2) for t in words]
        query = torch.cat([attn.norm_q(split[0]), attn.norm_added_q(others[0])], 2)
        key = torch.cat([attn.norm_k(split[1]), attn.norm_added_k(others[1])], 2)
        scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1])
        if tail > 1:
            more = torch.zeros(scores.shape[-1])
            more[-1] = math.log(tail)
            scores = scores + more
        value = torch.cat([split[2], others[2]], 2)
        mixed = scores.softmax(-1).to(value.dtype) @ value
        mixed = mixed.transpose(1, 2).flatten(2)
        picture, context = mixed[:, :n], mixed[:, n:]
        if not attn.context_pre_only:
            context = attn.to_add_out(context)
        return attn.to_out[0](picture), context


def new_transformer(blocks: int = BLOCKS) -> SD3Transformer2DModel:
    """Return an untrained transformer of the model's shape."""
    torch.manual_seed(SEED)
    net = SD3Transformer2DModel(
        sample_size=8,
        patch_size=2,
        in_channels=16,
        out_channels=16,
        num_layers=blocks,
        attention_head_dim=64,
        num_attention_heads=WIDTH // 64,
        joint_attention_dim=D_CONTEXT,
        caption_projection_dim=WIDTH,
        pooled_projection_dim=D_CONTEXT,
        pos_embed_max_size=8,
        qk_norm="rms_norm",
    )
    with torch.no_grad():
        for name, parameter in net.named_parameters():
            if ".norm1" in name or name.startswith(("norm_out", "proj_out")):
                parameter.zero_()
    return net


@dataclass(frozen=True)
class Batch:
    """Captions with a picture of each.

    Attributes:
        texts: The captions.
        clean: Latents ``[b, 16, 8, 8]``.
    """

    texts: list[str]
    clean: Tensor


class Syllabus:
    """Draws captions and pictures that they fit."""

    def __init__(self, latents: Latents, without: str = "") -> None:
        """Keep the latents, with the row of each cell.

        Args:
            latents: What the model is shown.
            without: A subject that it is not shown; empty for none.
        """
        self._latents, self._without = latents, without
        rows = enumerate(latents.cells)
        self._rows = {cell: i for i, cell in rows if cell[0] != without}
        self._every = tuple(self._rows)

    def batches(self, step: int, known: CLIPTokenizer) -> list[Batch]:
        """Return the next few batches, sorted by the length of their captions."""
        rng = np.random.default_rng((SEED, step))
        simple = SIMPLE * max(0.0, 1 - step / SIMPLE_STEPS)
        drawn = [self.drawn(rng, simple) for _ in range(SORTED * BATCH)]
        lengths = [len(ids) for ids in known([text for text, _ in drawn]).input_ids]
        order = np.argsort(lengths, kind="stable")
        return [
            Batch(
                [drawn[i][0] for i in part],
                torch.stack([drawn[i][1] for i in part]).float(),
            )
            for part in rng.permutation(np.stack(np.split(order, SORTED)))
        ]

    def drawn(self, rng: np.random.Generator, simple: float) -> tuple[str, Tensor]:
        """Return a caption with the latent ``[16, 8, 8]`` of a picture that it fits.

        Args:
            rng: Source of random numbers.
            simple: Share of captions that must name one subject and one style.
        """
        caption = caption_without(sampled_caption(rng, simple), self._without)
        if caption is None:
            return self.drawn(rng, simple)
        if caption.right:
            return self._pair(rng)
        if caption.cells[0][0] == EMPTY:
            return caption.text, self._latents.page(caption.colour)
        if rng.uniform() < DROPOUT:
            caption = GlyphCaption("", self._every)
        known = [self._rows[c] for c in caption.cells if c in self._rows]
        if not known:
            return self.drawn(rng, simple)
        row = known[int(rng.integers(len(known)))]
        variant = self._latents.variant(caption.colour, rng)
        return caption.text, self._latents.single[row, variant]

    def _pair(self, rng: np.random.Generator) -> tuple[str, Tensor]:
        index = int(rng.integers(len(self._latents.pairs)))
        sides = [self._latents.cells[row] for row in self._latents.sides[index]]
        if self._without in {subject for subject, _ in sides}:
            return self._pair(rng)
        words = [called(rng, subject)[0] for subject, _ in sides]
        text = pair_text(words[0], words[1], sides[0][1])
        return text, self._latents.pairs[index]


@dataclass(frozen=True)
class Course:
    """A training with all that it needs.

    Attributes:
        run: The run.
        known: The tokenizer.
        syllabus: What it is shown.
    """

    run: LongRun
    known: CLIPTokenizer
    syllabus: Syllabus

    @classmethod
    def of(cls, work: Path, without: str = "") -> Course:
        """Return the course in a work folder, resumed where there is a checkpoint.

        Args:
            work: Folder of all that is made.
            without: A subject of which it is shown nothing: so a twin is trained.
        """
        known = tokenizer(work)
        run = new_run(folder_of(work, without), known, without)
        return cls(run, known, Syllabus(training_latents(work), without))

    def train(self, *, until: float, cool: int, stop: Callable[[], bool]) -> None:
        """Train, or go on training, until a time; then save.

        Args:
            until: Seconds from now after which the run is saved.
            cool: Number of steps over which the rates sink to zero; 0 for none.
            stop: Asked after each step whether to stop at once.
        """
        run, generator = self.run, torch.Generator()
        losses: list[float] = []
        end, told = time.monotonic() + until, time.monotonic()
        waiting: list[Batch] = []
        for step in run.steps(cool):
            _share_processors()
            waiting = waiting or self.syllabus.batches(step, self.known)
            generator.manual_seed(SEED * 1_000_003 + step)
            loss = flow_loss(run, self.known, waiting.pop(), generator)
            run.descend(loss)
            losses.append(loss.item())
            if time.monotonic() - told > 60:
                told = time.monotonic()
                cpu = round(time.process_time())
                run.log({"loss": round(float(np.mean(losses)), 4), "cpu": cpu})
                losses.clear()
            if stop() or time.monotonic() > end:
                break
        run.save()


def folder_of(work: Path, without: str) -> Path:
    """Return the folder of the model itself, or of a twin."""
    return work / f"without-{without.replace(' ', '-')}" if without else work


def new_run(folder: Path, known: CLIPTokenizer, without: str = "") -> LongRun:
    """Return the run in its folder, resumed where there is a checkpoint."""
    net = new_transformer()
    net.set_attn_processor(RepeatedTail())
    encoders = nn.ModuleList(taught_encoders(folder, known, TEXT_STEPS, without))
    return LongRun(folder / "transformer", net, encoders, RATES)


def painter_of(run: LongRun, known: CLIPTokenizer, vae: AutoencoderKL) -> Painter:
    """Return what paints with the run's average."""
    net = new_transformer()
    net.load_state_dict(run.averaged("main."), strict=False)
    encoders = [new_text_encoder(known, seed) for seed in SEEDS]
    for i, encoder in enumerate(encoders):
        encoder.load_state_dict(run.averaged(f"slow.{i}."), strict=False)
        encoder.eval()
    return Painter(net.eval(), encoders, known, vae)


def flow_loss(
    run: LongRun, known: CLIPTokenizer, batch: Batch, generator: torch.Generator
) -> Tensor:
    """Return the squared error of the velocity at times that are logit-normal."""
    n = len(batch.texts)
    times = torch.randn(n, generator=generator).sigmoid()
    noise = torch.randn(batch.clean.shape, generator=generator)
    part = times[:, None, None, None]
    noisy = (1 - part) * batch.clean + part * noise
    draw = torch.rand(2, generator=generator).tolist()
    tail = 1 if draw[0] < 0.8 else TAILS[int(draw[1] * len(TAILS))]
    ids = ids_of(known, batch.texts, whole=draw[1] < 0.1)
    encoders: list[Any] = [*run.modules["slow"].children()]
    with half_precision():
        states, pooled = encoded(encoders, ids)
        states = torch.cat([states, torch.zeros(n, 1, states.shape[-1])], 1)
        guess = run.modules["main"](
            hidden_states=noisy,
            encoder_hidden_states=states,
            pooled_projections=pooled,
            timestep=1000 * times,
            joint_attention_kwargs={"tail": tail},
            return_dict=False,
        )[0]
    return nn.functional.mse_loss(guess.float(), noise - batch.clean)


def _share_processors() -> None:
    """Use a second thread only where the machine has a processor to spare."""
    spare = (os.cpu_count() or 1) - os.getloadavg()[0] + torch.get_num_threads()
    threads = 2 if spare >= 2 else 1
    if threads != torch.get_num_threads():
        torch.set_num_threads(threads)
