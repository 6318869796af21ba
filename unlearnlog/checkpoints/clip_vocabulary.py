"""CLIP's vocabulary for a single file, which holds none: where it is on this machine.

It is the same in every Stable Diffusion, so that of any folder, of the hub's cache or
of an installed package serves; each is brought into one form, so that the files of a
ledger's base are the same wherever they come from.
"""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

from unlearnlog.core.plain_files import bytes_of, expanded
from unlearnlog.errors import ModelError
from unlearnlog.models.hub import cached_file
from unlearnlog.models.small_files import json_in, small_files

_TOKENIZER: Final = "tokenizer"
_WHOLE, _VOCABULARY, _MERGES = "tokenizer.json", "vocab.json", "merges.txt"
_FIRST_LINE: Final = "#version: 0.2"

_ON_HUB: Final = (
    ("openai/clip-vit-large-patch14", ""),
    ("stable-diffusion-v1-5/stable-diffusion-v1-5", "tokenizer/"),
    ("stabilityai/stable-diffusion-xl-base-1.0", "tokenizer/"),
    ("stabilityai/stable-diffusion-2-1", "tokenizer/"),
)
"""Repositories with the vocabulary, and the folder that it is in."""

_PACKAGES: Final = ("open_clip", "clip")
_PACKED: Final = "bpe_simple_vocab_16e6.txt.gz"
"""The file of merges that packages with CLIP's own code ship."""

_LARGEST: Final = 32 * 2**20
_N_MERGES: Final = 49_152 - 256 - 2
"""Merges of that file that CLIP uses; it has more."""

_BEGIN, _END = "<|startoftext|>", "<|endoftext|>"


@dataclass(frozen=True)
class ClipVocabulary:
    """The tokens of a CLIP with their numbers, and its merges in their order.

    Attributes:
        numbers: Number of each token.
        merges: The two parts of each merge.
    """

    numbers: Mapping[str, int]
    merges: tuple[tuple[str, str], ...]

    def files(self, *, pads: str) -> dict[str, bytes]:
        """Return the files of a tokenizer, by name.

        Args:
            pads: The token that fills a prompt.
        """
        ordered = sorted(self.numbers.items(), key=lambda item: item[1])
        lines = [_FIRST_LINE, *(" ".join(pair) for pair in self.merges)]
        config = {
            "add_prefix_space": False,
            "bos_token": _BEGIN,
            "eos_token": _END,
            "unk_token": _END,
            "pad_token": pads,
            "model_max_length": 77,
            "tokenizer_class": "CLIPTokenizer",
        }
        return {
            "tokenizer_config.json": json.dumps(config, indent=2).encode(),
            _VOCABULARY: json.dumps(dict(ordered), ensure_ascii=False).encode(),
            _MERGES: "\n".join([*lines, ""]).encode(),
        }


def vocabulary_for(file: Path, given: Path | None) -> ClipVocabulary:
    """Return CLIP's vocabulary for a single file.

    Args:
        file: The single file; a folder ``tokenizer`` beside it counts first.
        given: A folder with a tokenizer, or with the folder ``tokenizer``; None for
            none, and then the first that is found on this machine.

    Raises:
        ModelError: The folder has none, or there is none on this machine.
    """
    if given is not None:
        folder = expanded(given).absolute()
        found = _in_folder(folder) or _in_folder(folder / _TOKENIZER)
        if found is None:
            raise ModelError(
                f"'{given}' has no tokenizer: neither {_WHOLE} nor {_VOCABULARY} with "
                f"{_MERGES}",
                fix="give the folder 'tokenizer' of any Stable Diffusion, or the "
                "folder that it is in",
            )
        return found
    found = _in_folder(file.parent / _TOKENIZER) or _in_cache() or _in_packages()
    if found is None:
        raise ModelError(
            f"'{file}' is a single file, which holds no tokenizer, and CLIP's is "
            "nowhere on this machine",
            fix="give the folder 'tokenizer' of any Stable Diffusion: unlearnlog init "
            f"--model '{file}' --tokenizer FOLDER; or put it beside the file; or pip "
            "install open_clip_torch, which ships the vocabulary",
        )
    return found


def _in_folder(folder: Path) -> ClipVocabulary | None:
    """Return the vocabulary in a tokenizer's folder; None where it has none."""
    if not folder.is_dir():
        return None
    files = small_files(folder, (_WHOLE, _VOCABULARY, _MERGES))
    if {_VOCABULARY, _MERGES} <= files.keys():
        numbers = json_in(files[_VOCABULARY], folder / _VOCABULARY)
        lines = files[_MERGES].decode("utf-8", "replace").splitlines()
        merges = [line for line in lines if not line.startswith("#version")]
        return _checked(numbers, merges, folder / _VOCABULARY)
    if _WHOLE not in files:
        return None
    content = json_in(files[_WHOLE], folder / _WHOLE)
    model = content.get("model")
    known = model if isinstance(model, dict) else {}
    words = known.get("vocab")
    added = content.get("added_tokens")
    marks = {
        each["content"]: each.get("id")
        for each in (added if isinstance(added, list) else [])
        if isinstance(each, dict) and isinstance(each.get("content"), str)
    }
    named = {**marks, **words} if isinstance(words, dict) else None
    return _checked(named, known.get("merges"), folder / _WHOLE)


def _checked(numbers: Any, merges: Any, file: Path) -> ClipVocabulary:  # noqa: ANN401 - JSON
    """Return a vocabulary of untrusted values.

    Raises:
        ModelError: The values are no vocabulary of CLIP.
    """
    pairs = [_pair(each) for each in (merges if isinstance(merges, list) else [])]
    words = numbers if isinstance(numbers, dict) else {}
    is_whole = {_BEGIN, _END} <= words.keys() and bool(pairs) and None not in pairs
    counted = sorted(n for n in words.values() if type(n) is int)
    if not is_whole or counted != [*range(len(words))]:
        raise ModelError(
            f"'{file}' is no vocabulary of CLIP",
            fix="give the folder 'tokenizer' of any Stable Diffusion",
        )
    return ClipVocabulary(words, tuple(pair for pair in pairs if pair))


def _pair(merge: Any) -> tuple[str, str] | None:  # noqa: ANN401 - JSON
    """Return the two parts of a merge, ``a b`` or a list; None for anything else."""
    parts = merge.split(" ") if isinstance(merge, str) else merge
    match parts:
        case [str(first), str(second)]:
            return first, second
        case _:
            return None


def _in_cache() -> ClipVocabulary | None:
    """Return the vocabulary in the hub's cache on this machine; asks no network."""
    for repository, folder in _ON_HUB:
        for name in (_VOCABULARY, _WHOLE):
            found = cached_file(repository, f"{folder}{name}")
            if found and (known := _in_folder(found.parent)):
                return known
    return None


def _in_packages() -> ClipVocabulary | None:
    """Return the vocabulary that a package with CLIP's code ships; imports none."""
    for file in _packed():
        try:
            packed = bytes_of(file, most=_LARGEST)
            with gzip.open(io.BytesIO(packed), "rt", encoding="utf-8") as text:
                lines = text.read(_LARGEST).split("\n")
        except (OSError, EOFError, ValueError):  # a damaged installation
            continue
        merges = [_pair(line) for line in lines[1 : 1 + _N_MERGES]]
        return _of_merges(tuple(pair for pair in merges if pair))
    return None


def _packed() -> Iterator[Path]:
    for name in _PACKAGES:
        spec = find_spec(name)
        for folder in (spec.submodule_search_locations or ()) if spec else ():
            if (file := Path(folder) / _PACKED).is_file():
                yield file


def _of_merges(merges: tuple[tuple[str, str], ...]) -> ClipVocabulary:
    """Return the vocabulary that merges come to: bytes, words' ends, merges, marks.

    Source:
        github.com/openai/CLIP, the order of tokens in ``simple_tokenizer.py``.
    """
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in own]
    letters = [chr(byte) for byte in own] + [chr(256 + i) for i in range(len(others))]
    pieces = [*letters, *(f"{each}</w>" for each in letters)]
    pieces += ["".join(pair) for pair in merges] + [_BEGIN, _END]
    return ClipVocabulary({piece: i for i, piece in enumerate(pieces)}, merges)
