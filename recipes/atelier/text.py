"""The tokenizer and the text encoder of the bundled model."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Final

import torch
from tokenizers import (
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

from unlearnlog.atelier.captions import every_caption
from unlearnlog.models.older_tokenizers import WHOLE, older_files

N_POSITIONS: Final = 77
VOCABULARY: Final = 1200
START, END = "<|startoftext|>", "<|endoftext|>"
SEED: Final = 41
D_TEXT: Final = 256


def trained_tokenizer(
    folder: Path,
    captions: Iterable[str] | None = None,
    *,
    vocabulary: int = VOCABULARY,
    positions: int = N_POSITIONS,
) -> CLIPTokenizer:
    """Learn a small byte-pair vocabulary from captions and save it as CLIP's.

    An existing one is kept: ties between pairs are broken at random, and a half-trained
    network depends on the numbers of its tokens.

    Args:
        folder: Where the tokenizer is kept.
        captions: Texts with every word; None for those of the bundled model.
        vocabulary: Largest number of tokens, without rare characters.
        positions: The length that prompts are padded to.
    """
    if (folder / "tokenizer.json").exists():
        known: CLIPTokenizer = CLIPTokenizer.from_pretrained(folder)
        return known
    bpe = Tokenizer(
        models.BPE(
            continuing_subword_prefix="", end_of_word_suffix="</w>", unk_token=END
        )
    )
    bpe.normalizer = normalizers.Sequence([normalizers.NFC(), normalizers.Lowercase()])
    bpe.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.WhitespaceSplit(),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    bpe.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[START, END],
        initial_alphabet=alphabet,
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    bpe.train_from_iterator(captions or every_caption(), trainer)
    pieces = _complete(json.loads(bpe.to_str())["model"]["vocab"], alphabet)
    merges: Any = [tuple(m) for m in json.loads(bpe.to_str())["model"]["merges"]]
    tokenizer = CLIPTokenizer(
        vocab=pieces,
        merges=merges,
        unk_token=END,
        bos_token=START,
        eos_token=END,
        pad_token=END,
        model_max_length=positions,
    )
    tokenizer.save_pretrained(folder)
    whole = (folder / WHOLE).read_bytes()
    for name, data in older_files({WHOLE: whole}).items():
        (folder / name).write_bytes(data)
    return tokenizer


def _complete(vocabulary: dict[str, int], alphabet: list[str]) -> dict[str, int]:
    """Add characters that the captions lack, so that any text has tokens."""
    for letter in alphabet:
        for piece in (letter, f"{letter}</w>"):
            vocabulary.setdefault(piece, len(vocabulary))
    return vocabulary


def new_text_encoder(tokenizer: CLIPTokenizer) -> CLIPTextModel:
    """Return an untrained text encoder for ``tokenizer``."""
    torch.manual_seed(SEED)
    return CLIPTextModel(
        CLIPTextConfig(
            vocab_size=len(tokenizer),
            hidden_size=D_TEXT,
            intermediate_size=2 * D_TEXT,
            num_hidden_layers=2,
            num_attention_heads=4,
            max_position_embeddings=N_POSITIONS,
            projection_dim=D_TEXT,
            bos_token_id=tokenizer.bos_token_id,
            eos_token_id=tokenizer.eos_token_id,
            pad_token_id=tokenizer.pad_token_id,
        )
    )
