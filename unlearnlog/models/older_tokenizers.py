"""The vocabulary of CLIP's tokenizer in the two files that older libraries read.

transformers 5 writes a tokenizer as ``tokenizer.json`` alone; up to 4.57 its class for
CLIP reads ``vocab.json`` and ``merges.txt``. A tokenizer is read from the first where
there is one, so the two others do not change which model a folder is.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

WHOLE: Final = "tokenizer.json"
VOCABULARY: Final = "vocab.json"
MERGES: Final = "merges.txt"
_FIRST_LINE: Final = "#version: 0.2"  # skipped by its readers, whatever it says
_END_OF_WORD: Final = "</w>"


def older_files(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the files of a tokenizer that older libraries ask for and it lacks.

    Args:
        files: Bytes of the tokenizer's files, by name.

    Returns:
        ``vocab.json`` and ``merges.txt``; empty where one is there, or where the
        tokenizer is not of CLIP's kind.
    """
    if WHOLE not in files or {VOCABULARY, MERGES} & files.keys():
        return {}
    content = json.loads(files[WHOLE])
    model = content.get("model") or {}
    if model.get("type") != "BPE" or model.get("end_of_word_suffix") != _END_OF_WORD:
        return {}
    numbers = dict(model["vocab"])
    for token in content.get("added_tokens") or ():
        numbers.setdefault(token["content"], token["id"])
    pairs = (
        pair if isinstance(pair, str) else " ".join(pair) for pair in model["merges"]
    )
    lines = "\n".join([_FIRST_LINE, *pairs, ""])
    ordered = dict(sorted(numbers.items(), key=lambda item: item[1]))
    vocabulary = json.dumps(ordered, ensure_ascii=False, separators=(",", ":"))
    return {VOCABULARY: vocabulary.encode(), MERGES: lines.encode()}
