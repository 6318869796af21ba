"""The bundled tokenizer, in today's file and in the two that older libraries read."""

from __future__ import annotations

from unlearnlog.atelier.bundled_model import FOLDER
from unlearnlog.models.base_identity import files_of
from unlearnlog.models.older_tokenizers import older_files
from unlearnlog.models.pipeline_folder import PipelineFolder

TOKENIZER = FOLDER / "tokenizer"
DIGEST = "0b3e4665eac8dea7"
"""Of tokenizer.json, as it is in the base of every ledger of the bundled model."""


def test_the_older_files_are_those_of_the_tokenizer():
    files = {path.name: path.read_bytes() for path in TOKENIZER.iterdir()}

    made = older_files({"tokenizer.json": files["tokenizer.json"]})

    assert made == {name: files[name] for name in ("vocab.json", "merges.txt")}
    assert older_files(files) == {}


def test_they_are_no_part_of_the_bases_identity():
    found = files_of(PipelineFolder.read(FOLDER))

    assert list(found) == ["tokenizer/tokenizer.json"]
    assert found["tokenizer/tokenizer.json"].startswith(DIGEST)


def test_a_tokenizer_of_another_kind_gets_none():
    assert older_files({"tokenizer.json": b'{"model": {"type": "Unigram"}}'}) == {}
    assert older_files({"spiece.model": b""}) == {}
