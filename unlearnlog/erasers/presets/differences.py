"""Differences between an eraser's defaults and the published method."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DIFFERS: Final[Mapping[str, str]] = {
    "uce": "prompts of the concept instead of its names, prompts of all that stays "
    "kept, a concept's tokens weigh 64 in all and not 1 each",
    "ridge": "no published method: the equations of UCE on every token from the name "
    "on, with families",
    "rece": "every token of prompts from the name on instead of names, no edit by UCE "
    "to begin with, two rounds",
    "mace": "no LoRA; the name's own tokens are refined instead",
    "speed": "prompts instead of names, a threshold ten times as high, es 10 and not "
    "1, no random numbers",
    "oce": "prompts instead of names in five phrases, es 1000, collinear tokens count "
    "once",
    "double-projection": "several tokens at once; the span of the target's own tokens",
    "esd": "every prompt of the concept instead of its name, finished pictures under "
    "noise, projected gradients, a rate twenty times as high",
    "sdd": "every prompt of the concept instead of its name, finished pictures under "
    "noise, projected gradients, a rate 300 times as high, a shorter average",
    "concept-ablation": "the loss of the anchor's pictures, an option there, projected "
    "gradients, a rate 125 times as high",
    "forget-me-not": "every prompt of the concept instead of one, projected gradients, "
    "a rate 1500 times as high, keys and values alone",
    "salun": "every prompt of the concept, a rate thirty times as high, keys and "
    "values alone",
    "dynamic-mask": "every prompt of the concept, a rate 300 times as high, keys and "
    "values alone",
    "restricted-gradient": "all that stays is kept instead of the concept's prompts "
    "without it, a rate thirty times as high, keys and values alone",
    "hardened": "no published method: the idea of Meta-Unlearning on a closed form, "
    "its first order and its own numbers; their program trains whole UNets",
    "surgun": "no program is public; the contrast, its weights and the measure of "
    "blocks are ours",
    "cure": "weights that sum to 1 for each concept, an alpha of 1000 and not 2",
    "scapre": "several prompts of a concept are one, kept prompts, es 100 and not 2",
}
"""By the eraser's name; an eraser that is not listed follows its publication."""
