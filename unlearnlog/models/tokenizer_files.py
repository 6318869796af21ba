"""Loading of a tokenizer from sanitised copies of its files.

The library's loader follows paths in a configuration, reads other formats of
vocabularies, and runs templates. So it gets a temporary folder with copies of the known
files, reduced to the keys that it needs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, Final

import transformers

from unlearnlog.errors import ModelError
from unlearnlog.models.chat_templates import template_of
from unlearnlog.models.network_building import told
from unlearnlog.models.plain_configs import check_asks_for_nothing
from unlearnlog.models.small_files import TOKENIZER_FILES, json_in, small_files

if TYPE_CHECKING:
    from unlearnlog.models.network_building import Untyped

_WHOLE, _CONFIG, _VOCABULARY, _MERGES, _SPECIAL, _ADDED = TOKENIZER_FILES[:6]
_WORDS, _PIECES, _MODEL = TOKENIZER_FILES[6:]
_CLIP: Final = "CLIPTokenizer"
_ANY: Final = "PreTrainedTokenizerFast"
_PROCESSOR: Final = "Processor"
_SENTENCEPIECE: Final = "sentencepiece"
_SENTENCE: Final = "a painting of a cat"
_COPY_AGAIN: Final = "copy the tokenizer's folder there again, with all its files"

_MARK: Final = "_token"
"""Suffix of keys with one token, such as ``eos_token``."""

_NO_MARK: Final = "add_"
_LISTS: Final = ("additional_special_tokens", "extra_special_tokens")
_SWITCHES: Final = (
    *("add_prefix_space", "clean_up_tokenization_spaces", "do_lower_case"),
    *("split_special_tokens", "errors", "padding_side", "truncation_side"),
)
_DECODER: Final = "added_tokens_decoder"
_LONGEST: Final = "model_max_length"
_KNOWN: Final = frozenset({*_LISTS, *_SWITCHES, _DECODER, _LONGEST})
_EXTRA_IDS: Final = "extra_ids"
_MORE: Final = frozenset(
    {
        *("add_bos_token", "add_eos_token", "strip_accents", "tokenize_chinese_chars"),
        *("legacy", _EXTRA_IDS),
    }
)
"""Keys of other tokenizers than CLIP's."""

_KEPT: Final = (
    *("version", "truncation", "padding", "added_tokens"),
    *("post_processor", "model"),
)
"""Keys of ``tokenizer.json`` that are kept."""

_PIPELINE: Final = ("normalizer", "pre_tokenizer", "decoder")
"""Further keys that are kept of other tokenizers than CLIP's."""

_TOKEN_KEYS: Final = frozenset(
    {"content", "single_word", "lstrip", "rstrip", "normalized", "special", "__type"}
)


def tokenizer_of(files: Mapping[str, bytes], place: Path, kind: str = _CLIP) -> Untyped:
    """Load a tokenizer from the bytes of its files.

    Args:
        files: Bytes of the existing ones of `TOKENIZER_FILES`, by name.
        place: Their folder, for messages.
        kind: Name of its class, from the table of families.

    Raises:
        ModelError: A file is missing or damaged, or the vocabulary is of no use.
    """
    plain = _plain(files, place, kind)
    name = _ANY if kind.endswith(_PROCESSOR) else kind
    with told(f"cannot read the tokenizer in '{place}'", _COPY_AGAIN):
        with TemporaryDirectory(prefix="unlearnlog-") as folder:
            for file, data in plain.items():
                (Path(folder) / file).write_bytes(data)
            made = getattr(transformers, name)
            tokenizer: Untyped = made.from_pretrained(folder, local_files_only=True)
        if (template := template_of(tokenizer.get_vocab())) is not None:
            tokenizer.chat_template = template
        numbers = tokenizer(_SENTENCE, add_special_tokens=False).input_ids
    if not numbers or {*numbers} <= {tokenizer.unk_token_id}:
        raise ModelError(
            f"the tokenizer in '{place}' has no token for any word of '{_SENTENCE}'",
            fix=_COPY_AGAIN,
        )
    return tokenizer


def tokenizer_in(place: Path, kind: str = _CLIP) -> Untyped:
    """Load the tokenizer of a folder.

    Args:
        place: The folder.
        kind: Name of its class, from the table of families.

    Raises:
        ModelError: A file is missing or damaged, or the vocabulary is of no use.
    """
    return tokenizer_of(small_files(place, TOKENIZER_FILES), place, kind)


def decisive(files: Mapping[str, bytes], kind: str = _CLIP) -> dict[str, bytes]:
    """Return those files that a tokenizer of a class is read from, by name."""
    unread = {_WORDS, _PIECES, _MODEL} if is_clips(kind) else set[str]()
    if _WHOLE in files:
        unread = {_VOCABULARY, _MERGES, _WORDS, _PIECES, _MODEL}
    return {name: data for name, data in files.items() if name not in unread}


def is_clips(kind: str) -> bool:
    """Return whether a class of tokenizers is CLIP's."""
    return kind.startswith(_CLIP)


def plain_config(
    content: Mapping[str, Any], place: Path, kind: str = _CLIP
) -> dict[str, Any]:
    """Return the keys of a tokenizer's configuration that decide its result.

    Raises:
        ModelError: A value has another type, or needs code or other files.
    """
    check_asks_for_nothing(content, file=place)
    known = _KNOWN if is_clips(kind) else _KNOWN | _MORE
    kept = {}
    for key in sorted(content):
        if key not in known and not _is_mark(key):
            continue
        if not _is_fit(key, content[key]):
            raise ModelError(
                f"{key} is {json.dumps(content[key])[:80]} in '{place}', which is no "
                f"{_kind(key)}",
                fix=_COPY_AGAIN,
            )
        kept[key] = content[key]
    return kept


def _is_mark(key: str) -> bool:
    return key.endswith(_MARK) and not key.startswith(_NO_MARK)


def _kind(key: str) -> str:
    if key in (_LONGEST, _EXTRA_IDS):
        return "number of tokens"
    return "token" if _is_mark(key) else "plain value"


def _plain(files: Mapping[str, bytes], place: Path, kind: str) -> dict[str, bytes]:
    """Return the sanitised files for the library, by name."""
    _check_whole(files, place, kind)
    plain = decisive(files, kind)
    for name in (_CONFIG, _SPECIAL):
        if name in plain:
            content = json_in(plain[name], place / name)
            plain[name] = json.dumps(plain_config(content, place / name, kind)).encode()
    if _ADDED in plain:
        added = json_in(plain[_ADDED], place / _ADDED)
        if not all(type(number) is int for number in added.values()):
            raise _damaged(place / _ADDED, "a token has no number")
    if _WHOLE in plain:
        plain[_WHOLE] = _plain_whole(plain[_WHOLE], place / _WHOLE, kind)
    return plain


def _check_whole(files: Mapping[str, bytes], place: Path, kind: str) -> None:
    """Refuse a folder without a vocabulary: every word would be unknown."""
    if _WHOLE in files or {_VOCABULARY, _MERGES} <= files.keys():
        return
    if not is_clips(kind) and {_WORDS, _PIECES, _MODEL} & files.keys():
        _check_reads(files, place)
        return
    beside = [name for name in (_VOCABULARY, _MERGES) if name in files]
    missing = _MERGES if beside == [_VOCABULARY] else _WHOLE
    if beside == [_MERGES]:
        missing = _VOCABULARY
    raise ModelError(f"the tokenizer in '{place}' has no {missing}", fix=_COPY_AGAIN)


def _check_reads(files: Mapping[str, bytes], place: Path) -> None:
    """Refuse a vocabulary that needs a package which is not installed."""
    if _WORDS not in files and find_spec(_SENTENCEPIECE) is None:
        raise ModelError(
            f"the tokenizer in '{place}' has no {_WHOLE}, and its other vocabulary is "
            f"read by a package that is not installed: {_SENTENCEPIECE}",
            fix=f"pip install {_SENTENCEPIECE} protobuf",
        )


def _plain_whole(data: bytes, file: Path, kind: str) -> bytes:
    """Return a ``tokenizer.json`` with its vocabulary and its added tokens.

    The splitting of text is built into CLIP's tokenizer; others keep theirs.
    """
    content = json_in(data, file)
    if not is_clips(kind):
        return _plain_other(content, file)
    model = content.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    merges = model.get("merges") if isinstance(model, dict) else None
    if not isinstance(vocabulary, dict) or not isinstance(merges, list):
        raise _damaged(file, "it has no vocabulary with merges")
    if not all(type(number) is int and number >= 0 for number in vocabulary.values()):
        raise _damaged(file, "a token has no number")
    return json.dumps({key: content[key] for key in _KEPT if key in content}).encode()


def _plain_other(content: Mapping[str, Any], file: Path) -> bytes:
    """Return a ``tokenizer.json`` of another tokenizer than CLIP's."""
    model = content.get("model")
    vocabulary = model.get("vocab") if isinstance(model, dict) else None
    if not vocabulary or not isinstance(vocabulary, dict | list):
        raise _damaged(file, "it has no vocabulary")
    kept = (*_KEPT, *_PIPELINE)
    return json.dumps({key: content[key] for key in kept if key in content}).encode()


def _is_fit(key: str, value: object) -> bool:
    if value is None:
        return True
    if not _is_text(value):
        return False
    if _is_mark(key):
        return _is_token(value)
    if key in _LISTS:
        each = [*value.values()] if isinstance(value, dict) else value
        return isinstance(each, list) and all(map(_is_token, each))
    if key == _DECODER:
        return isinstance(value, dict) and all(
            number.isdecimal() and _is_token(token) for number, token in value.items()
        )
    if key in (_LONGEST, _EXTRA_IDS):
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, bool | str)


def _is_text(value: object) -> bool:
    """Return whether a value has no unpaired surrogates."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except ValueError:
        return False
    return True


def _is_token(value: object) -> bool:
    if isinstance(value, dict):
        return isinstance(value.get("content"), str) and value.keys() <= _TOKEN_KEYS
    return isinstance(value, str)


def _damaged(file: Path, why: str) -> ModelError:
    return ModelError(f"'{file}' is no tokenizer's: {why}", fix=_COPY_AGAIN)
