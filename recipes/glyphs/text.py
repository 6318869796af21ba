"""The tokenizer and the two text encoders, taught what captions mean.

Before the transformer is trained the encoders learn, as CLIP's do, what a caption
shows: its subjects, its styles, its colour and the subject on the right. So the
transformer is told something from its first step on. The layers that read it off are
thrown away.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor, nn
from transformers import (
    CLIPTextConfig,
    CLIPTextModelWithProjection,
    CLIPTokenizer,
)

from recipes.atelier.text import trained_tokenizer
from recipes.atelier.training import Run, half_precision
from unlearnlog.concepts.templates import EMPTY
from unlearnlog.glyphs.glyph_captions import (
    GlyphCaption,
    caption_without,
    sampled_caption,
)
from unlearnlog.glyphs.glyph_world import COLOURS, world

POSITIONS: Final = 20
"""Tokens of a prompt; longer ones are cut."""

VOCABULARY: Final = 1600
D_TEXT: Final = 128
BATCH: Final = 192
SEEDS: Final = (41, 43)


def tokenizer(work: Path) -> CLIPTokenizer:
    """Return the tokenizer, trained once on many captions."""
    rng = np.random.default_rng(40)
    captions = (sampled_caption(rng).text for _ in range(60_000))
    return trained_tokenizer(
        work / "tokenizer", captions, vocabulary=VOCABULARY, positions=POSITIONS
    )


def new_text_encoder(known: CLIPTokenizer, seed: int) -> CLIPTextModelWithProjection:
    """Return an untrained text encoder."""
    torch.manual_seed(seed)
    encoder = CLIPTextModelWithProjection(
        CLIPTextConfig(
            vocab_size=len(known),
            hidden_size=D_TEXT,
            intermediate_size=4 * D_TEXT,
            num_hidden_layers=3,
            num_attention_heads=4,
            max_position_embeddings=POSITIONS,
            projection_dim=D_TEXT,
            bos_token_id=known.bos_token_id,
            eos_token_id=known.eos_token_id,
            pad_token_id=known.pad_token_id,
        )
    )
    encoder.set_attn_implementation("eager")
    return encoder


def ids_of(known: CLIPTokenizer, texts: Sequence[str], *, whole: bool) -> Tensor:
    """Return token numbers ``[n, length]``, padded.

    Args:
        known: The tokenizer.
        texts: Captions.
        whole: Whether to pad to all positions, as a pipeline does, and not only to the
            longest caption.
    """
    padding = "max_length" if whole else "longest"
    ids: Tensor = known(
        list(texts), padding=padding, truncation=True, return_tensors="pt"
    ).input_ids
    return ids


def encoded(
    encoders: Sequence[CLIPTextModelWithProjection], ids: Tensor
) -> tuple[Tensor, Tensor]:
    """Return states ``[b, length, 256]`` and pooled vectors ``[b, 256]``.

    They are those of Stable Diffusion 3: the states before the last layer.
    """
    found = [each(ids, output_hidden_states=True) for each in encoders]
    states = torch.cat([f.hidden_states[-2] for f in found], -1)
    return states, torch.cat([f.text_embeds for f in found], -1)


class Meaning(nn.Module):
    """The layers that read a caption's meaning off an encoder."""

    def __init__(self, width: int) -> None:
        """Make untrained layers for vectors of ``width``."""
        super().__init__()
        seen = world()
        self.subject = nn.Linear(width, len(seen.subjects))
        self.right = nn.Linear(width, len(seen.subjects) + 1)
        self.style = nn.Linear(width, len(seen.styles))
        self.colour = nn.Linear(width, len(COLOURS) + 1)

    def loss(self, vectors: Tensor, told: Mapping[str, Tensor]) -> Tensor:
        """Return the cross-entropy of what captions mean, each part's weight one."""
        losses = [
            nn.functional.cross_entropy(getattr(self, part)(vectors).float(), target)
            for part, target in told.items()
        ]
        return torch.stack(losses).sum()


def _told(captions: Sequence[GlyphCaption]) -> dict[str, Tensor]:
    """Return the probability of every answer about each caption, ``[n, answers]``."""
    seen = world()
    subjects = {name: i for i, name in enumerate((*seen.subjects, ""))}
    styles = {name: i for i, name in enumerate(seen.styles)}
    colours = {name: i for i, name in enumerate(("", *COLOURS))}
    n = len(captions)
    subject = np.zeros((n, len(seen.subjects)), np.float32)
    right = np.zeros((n, len(subjects)), np.float32)
    style = np.zeros((n, len(styles)), np.float32)
    colour = np.zeros((n, len(colours)), np.float32)
    for i, each in enumerate(captions):
        share = 1 / len(each.cells)
        for name, hand in each.cells:
            subject[i, subjects[name]] += share
            style[i, styles[hand]] += share
        for name, _ in each.right or (("", ""),):
            right[i, subjects[name]] += 1 / max(1, len(each.right))
        colour[i, colours[each.colour]] = 1
    rows = {"subject": subject, "right": right, "style": style, "colour": colour}
    return {part: torch.from_numpy(row) for part, row in rows.items()}


def taught_encoders(
    folder: Path, known: CLIPTokenizer, steps: int, without: str = ""
) -> tuple[CLIPTextModelWithProjection, ...]:
    """Teach (or finish teaching) both encoders what captions mean.

    Args:
        folder: Folder of the run.
        known: The tokenizer.
        steps: The number of the last step.
        without: A subject that no caption names; empty for none.
    """
    encoders = tuple(new_text_encoder(known, seed) for seed in SEEDS)
    heads = {
        f"{place}{i}": Meaning(D_TEXT)
        for i in range(len(encoders))
        for place in ("pooled", "state")
    }
    modules: dict[str, nn.Module] = {f"encoder{i}": e for i, e in enumerate(encoders)}
    run = Run(folder / "text", {**modules, **heads}, rate=3e-3)
    seen: list[float] = [0.0]
    for step in run.steps(steps, save_every=100, note=lambda _: f"loss {seen[0]:.4f}"):
        rng = np.random.default_rng((SEEDS[0], step))
        drawn = [sampled_caption(rng, simple=0.2) for _ in range(BATCH)]
        left = [caption_without(c, without) for c in drawn]
        captions = [c for c in left if c and c.cells[0][0] != EMPTY]
        ids = ids_of(known, [c.text for c in captions], whole=False)
        told = _told(captions)
        loss = torch.zeros(())
        with half_precision():
            for i, encoder in enumerate(encoders):
                found = encoder(ids, output_hidden_states=True)
                ends = (ids == known.eos_token_id).int().argmax(1)
                state = found.hidden_states[-2][torch.arange(len(ids)), ends]
                loss = loss + heads[f"pooled{i}"].loss(found.text_embeds, told)
                loss = loss + heads[f"state{i}"].loss(state, told)
        run.descend(loss)
        seen[0] = 0.95 * (seen[0] or loss.item()) + 0.05 * loss.item()
    for name, module in modules.items():
        module.load_state_dict(run.averaged(name), strict=False)
    return encoders
