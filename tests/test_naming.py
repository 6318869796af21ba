"""Names: which are one concept, which are two, and which are no name at all."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
from safetensors.torch import load_file, save_file
from transformers import CLIPTokenizer

from tests.fakes import LinearModel
from tests.policy_texts import policy_text
from tests.tiny import build_pipeline
from unlearnlog.api import Ledger as Api
from unlearnlog.commands import joint_set
from unlearnlog.commands.session import Session
from unlearnlog.concepts.concept_set import ConceptSet
from unlearnlog.core.active import live_concepts
from unlearnlog.core.concept import Concept, ConceptId, concept_id, meant_by
from unlearnlog.core.digest import Digest
from unlearnlog.core.entry import Entry, SetGroup, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.names import is_spelled_out, one_name
from unlearnlog.core.prompt import where_spelt
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.errors import ConceptError

CONCEPTS = """
[concepts.cat]
kind = "subject"
[concepts.dog]
kind = "subject"
[concepts.Picasso]
kind = "style"
aliases = ["the painter of Guernica"]
[concepts.Monet]
kind = "style"
[concepts."C#"]
kind = "style"
"""

POLICY = policy_text("tiny", "ridge", judge="none", probes={"kept_share": 1.0})


@pytest.fixture
def small():
    return ConceptSet.of(tomllib.loads(CONCEPTS), "mine.toml")


@pytest.mark.parametrize(
    "names",
    [
        ("cat", "<cat>", "<cat>s"),
        ("C", "C#", "C++"),
        ("x", "-x", "../x"),
        ("van gogh", "van_gogh", "van/gogh"),
    ],
)
def test_two_names_never_have_one_id(names):
    """`C#` and `C++` were one concept, and `-x` was `../x`: the marks were left out."""
    assert len({concept_id(name) for name in names}) == len(names)


def test_case_and_spaces_are_no_other_name_of_what_has_marks_in_it():
    assert concept_id("c#") == concept_id(" C#  ")


@pytest.mark.parametrize(
    "name",
    ["Toulouse-Lautrec", "O'Keeffe", "J. R. R. Tolkien", "J.R.R. Tolkien", "St."],
)
def test_marks_that_only_spell_a_name_leave_its_id_as_it_was(name):
    assert is_spelled_out(name)
    assert "~" not in concept_id(name)


def test_entries_of_old_are_read_by_the_ids_that_they_have():
    """Before ids told all of a name, `C#` was written down as `c`."""
    sharp, plain = Concept("C#", "style"), Concept("c", "style")

    assert meant_by([sharp], [ConceptId("c")]) == (sharp,)
    assert meant_by([sharp, plain], [ConceptId("c")]) == (plain,)
    assert meant_by([sharp, plain], [sharp.id]) == (sharp,)


def test_a_name_with_marks_is_found_by_all_of_it(small):
    """`C++` found `C#` in a file of concepts, since both were `c`."""
    assert small.concept("c#").name == "C#"
    with pytest.raises(ConceptError, match=r"'C\+\+' is in no file of concepts"):
        small.concept("C++")


def test_a_name_spelt_like_a_concept_is_that_one_before_any_other_is_looked_for():
    file = """
    [concepts."van gogh"]
    kind = "style"
    [concepts.Theo]
    kind = "style"
    aliases = ["Van Gogh's brother"]
    """
    known = ConceptSet.of(tomllib.loads(file), "mine.toml")

    assert known.concept("Van Gogh's brother").name == "Theo"
    assert known.concept("VAN  gogh").name == "van gogh"


def test_a_word_of_a_prompt_is_no_part_of_a_token_in_brackets():
    assert where_spelt("a photo of a <cat>", ["cat"]) is None
    assert where_spelt("a photo of a <cat>", ["<cat>"]) is not None
    assert where_spelt("a program in C#", ["C"]) is None
    assert where_spelt("a cat, asleep", ["cat"]) is not None


LISTS = [
    ("Picasso, Monet", '--batch "Picasso" "Monet"'),
    ("Picasso; Monet", '--batch "Picasso" "Monet"'),
    ("Picasso\nMonet", '--batch "Picasso" "Monet"'),
    ("@artists.txt", '--batch "Picasso" "Monet"'),
]


@pytest.mark.parametrize(("text", "fix"), LISTS)
def test_a_list_of_names_is_no_name(small, text, fix):
    """`add "Picasso, Monet"` recorded one concept of that name and left Monet there."""
    for refused in (
        lambda: one_name(text),
        lambda: small.concept(text, kind="style"),
        lambda: small.named("Monet", kind="", said={"aliases": (text,)}),
    ):
        with pytest.raises(ConceptError) as caught:
            refused()
        assert fix in caught.value.fix
        assert "--concepts FILE" in caught.value.fix


@pytest.mark.parametrize("text", [text for text, _ in LISTS])
@pytest.mark.parametrize("as_alias", [False, True], ids=["name", "alias"])
def test_a_file_of_concepts_with_a_list_for_a_name_is_refused_by_its_own_name(
    text, as_alias
):
    row = {"kind": "style", **({"aliases": [text]} if as_alias else {})}

    with pytest.raises(ConceptError) as caught:
        ConceptSet.of({"concepts": {"Dali" if as_alias else text: row}}, "mine.toml")

    assert "'mine.toml' is wrong" in caught.value.message


@pytest.mark.parametrize(
    "concept", ["Picasso, Monet", Concept("Picasso, Monet", "style")]
)
def test_a_list_of_names_is_refused_from_python_too(tmp_path, concept):
    with pytest.raises(ConceptError, match="is a list, not one name"):
        Api.open(tmp_path, may_create=True).add(concept)

    assert not (tmp_path / ".unlearnlog").exists()


@pytest.mark.parametrize(
    "words",
    [
        ("add", "Picasso, Monet"),
        ("add", "@artists.txt"),
        ("add", "Picasso", "--alias", "Monet; Renoir"),
        ("import", "some.safetensors", "--concept", "Picasso, Monet"),
    ],
)
def test_a_list_of_names_is_refused_where_it_is_typed(typed, words):
    assert typed("init").code == 0

    done = typed(*words)

    assert done.code == 2
    assert "not one name" in done.err
    assert "--batch" in done.err
    assert typed("log", "--json").json() == []


def test_a_token_of_the_models_own_is_its_own_concept(tmp_path):
    file = tmp_path / "mine.toml"
    file.write_text(CONCEPTS)
    model: Any = LinearModel()
    model.added_tokens = frozenset({"<cat>", "CAT"})
    world = Session(tmp_path, None, model, model.manifest, file).world

    assert world.concept("<cat>", kind="subject").name == "<cat>"
    assert world.concept("CAT", kind="subject").name == "CAT"
    assert world.concept("Cat").name == "cat"
    with pytest.raises(ConceptError, match="'CAT' is a token of this model"):
        world.concept("CAT")


def with_token(folder, token):
    """Add a token to a pipeline's tokenizer and a row to its text encoder's table."""
    tokenizer = CLIPTokenizer.from_pretrained(folder / "tokenizer")
    tokenizer.add_tokens([token])
    tokenizer.save_pretrained(folder / "tokenizer")
    (file,) = (folder / "text_encoder").glob("*.safetensors")
    weights = load_file(file)
    (name,) = [n for n in weights if n.endswith("token_embedding.weight")]
    weights[name] = weights[name][[*range(len(weights[name])), 0]].contiguous()
    save_file(weights, file, {"format": "pt"})
    config = folder / "text_encoder" / "config.json"
    said = json.loads(config.read_text())
    config.write_text(json.dumps({**said, "vocab_size": len(tokenizer)}))
    return folder


@pytest.mark.slow
def test_a_token_in_brackets_is_erased_by_its_own_name(typed, tmp_path):
    """`add "<cat>"` recorded "cat erased": the brackets were left out."""
    model = with_token(build_pipeline(tmp_path / "model"), "<cat>")
    (tmp_path / "mine.toml").write_text(CONCEPTS)
    (tmp_path / "tiny.toml").write_text(POLICY)
    assert typed("init", "--model", str(model)).code == 0
    options = ["--policy", "tiny.toml", "--concepts", "mine.toml", "--json"]

    row = typed("add", "<cat>", "--kind", "subject", *options).json()
    then = typed("add", "cat", *options)

    assert [concept["name"] for concept in row["concepts"]] == ["<cat>"]
    assert [change["id"] for change in row["concepts"]] == [concept_id("<cat>")]
    assert then.code == 0, then.err


def test_a_group_of_old_still_knows_its_members():
    """An entry that put `C#` into a group named it `c`; its bytes must not change."""
    sharp = Concept("C#", "style")
    entry = Entry(
        parent=None,
        kind="erase",
        concepts=(sharp, Concept("Monet", "style")),
        eraser=EraserRecord(name="ridge"),
        seed=0,
        policy="none",
        changes=(
            SetGroup(
                group="ridge-1",
                eraser=EraserRecord(name="ridge"),
                members=(ConceptId("c"), ConceptId("monet")),
                object=Digest("a" * 64),
            ),
        ),
        delta=None,
        state=StateRecord(before=Digest("b" * 64), after=Digest("c" * 64)),
        verdict=VerdictRecord(passed=True),
        seconds=0.0,
        made_with={},
    )

    read = Entry.from_json(entry.to_json())

    (group,) = joint_set.live_groups([(read.id, read)]).values()
    assert {c.name for c in group.members.values()} == {"C#", "Monet"}
    assert [*live_concepts([(read.id, read)])] == ["C#", "Monet"]
