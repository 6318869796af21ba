import tomllib

import pytest

from unlearnlog.atelier.bundled_concepts import CONCEPTS, world
from unlearnlog.concepts.concept_set import GENERAL, ConceptSet
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.concept import Concept
from unlearnlog.errors import ConceptError

SMALL = """
[anchors]
subject = "scene"
[families.cubism]
kind = "style"
word = "cubist"
[families.animal]
kind = "subject"
word = "animal"
[concepts.Picasso]
family = "cubism"
aliases = ["Pablo Picasso", "the painter of Guernica"]
look_alikes = ["Braque"]
[concepts.Braque]
family = "cubism"
[concepts.Dali]
kind = "style"
anchor = "Magritte"
[concepts.cat]
family = "animal"
aliases = ["feline"]
[concepts.dog]
family = "animal"
[concepts.robot]
kind = "subject"
held_out = true
"""


def read(text):
    return ConceptSet.of(tomllib.loads(text), "mine.toml")


def test_a_file_says_what_there_is_and_what_is_near_what():
    small = read(SMALL)

    assert small.styles == ("Picasso", "Braque", "Dali")
    assert small.subjects == ("cat", "dog")
    assert small.held_out == ("robot",)
    assert small.families_of("style") == {"cubism": ("Picasso", "Braque")}
    assert small.near("Picasso") == {"Braque"}
    assert small.near("cat") == {"dog"}
    assert small.near("Dali") == set()
    assert small.concepts["Picasso"] == Concept(
        "Picasso",
        "style",
        ("Pablo Picasso", "the painter of Guernica"),
        anchor="photo",
        parent="cubism",
    )
    assert small.concepts["cat"].anchor == "scene"
    assert small.concepts["Dali"].anchor == "Magritte"
    assert small.concepts["robot"].kind == "subject"


@pytest.mark.parametrize("path", [CONCEPTS, GENERAL], ids=["atelier", "general"])
def test_the_worlds_that_ship_can_be_read(path):
    seen = ConceptSet.read(path)

    assert len(seen.styles) >= 16
    assert len(seen.subjects) >= 16
    for name in (*seen.styles, *seen.subjects):
        assert PromptBook(seen).forget(seen.concepts[name])
        assert PromptBook(seen).renamed(seen.concepts[name], 1), name


def test_a_look_alike_is_not_near_when_the_model_was_never_shown_it():
    assert world().near("Hokusai") == set()
    assert world().near("Warhol") == {"Lichtenstein"}


@pytest.mark.parametrize(
    ("text", "said", "fix"),
    [
        (
            "[concepts.X]\nkind = 3",
            "'mine.toml' is wrong at concepts.X.kind",
            "CONCEPTS",
        ),
        (
            "[concepts.X]\nkinds = 'a'",
            "concepts.X.kinds: there is no such key",
            "did you mean 'kind'?",
        ),
        ("concept = 1", "is wrong at concept", "CONCEPTS"),
        ("[concepts.X]", "has no kind", "kind ="),
        ("[concepts.X]\nfamily = 'F'", "into the family 'F'", "[families.'F']"),
        (
            "[families.F]\nkind='style'\nword='f'\n"
            "[concepts.X]\nfamily='F'\nkind='subject'",
            "calls 'X' a subject, but its family a style",
            "or a family",
        ),
        (
            "[concepts.X]\nkind='style'\nlook_alikes=['Y']",
            "gives 'X' the look-alike 'Y'",
            "[concepts.'Y']",
        ),
        (
            "[concepts.X]\nkind='style'\naliases=['y']\n[concepts.Y]\nkind='style'",
            "calls both 'X' and 'Y' 'Y'",
            "names of its own",
        ),
        ("[families.F]\nkind='art'\nword='f'\n[concepts]", "families.F.kind", "CONC"),
    ],
)
def test_a_file_that_makes_no_sense_is_explained(text, said, fix):
    with pytest.raises(ConceptError) as caught:
        read(text)

    assert said in caught.value.message
    assert fix in caught.value.fix


@pytest.mark.parametrize("text", ["[concepts", "\0"])
def test_a_file_that_is_no_toml_is_named(tmp_path, text):
    path = tmp_path / "mine.toml"
    path.write_text(text)

    with pytest.raises(ConceptError, match=r"mine\.toml' cannot be read"):
        ConceptSet.read(path)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ConceptError, match=r"none\.toml' cannot be read"):
        ConceptSet.read(tmp_path / "none.toml")


def test_an_open_world_asks_what_a_strange_name_is():
    with pytest.raises(ConceptError) as caught:
        read(SMALL).concept("Banksy")

    assert "'Banksy' is in no file of concepts" in caught.value.message
    assert "--kind style or --kind subject" in caught.value.fix


def test_a_strange_name_with_a_kind_becomes_a_concept():
    assert read(SMALL).concept("Banksy", kind="style").anchor == "photo"
    assert read(SMALL).concept("R2D2", kind="subject").anchor == "empty scene"


def test_what_somebody_says_of_a_concept_counts_more_than_the_file():
    said = {"aliases": ("Puss",), "anchor": "dog", "parent": ""}

    cat = read(SMALL).named("CAT", kind="", said=said)

    assert (cat.name, cat.aliases, cat.anchor) == ("cat", ("Puss",), "dog")
    assert cat.parent == "animal"
    with pytest.raises(ConceptError, match="'cat' is a subject, not a style"):
        read(SMALL).named("cat", kind="style", said={})


def test_a_concept_of_ones_own_has_every_prompt_that_a_known_one_has():
    mine = Concept("Banksy", "style", ("the man with the stencil",), anchor="Braque")
    book = PromptBook(read(SMALL).knowing([mine]))

    forget = book.forget(mine)
    assert any("the man with the stencil" in prompt.text for prompt in forget)
    assert any("painted by Braque" in prompt.anchor for prompt in forget)
    assert all("Banksy" not in prompt.context + prompt.anchor for prompt in forget)
    assert {cell.style for cell in book.erased(mine, 1)} == {"Banksy"}
    assert all("stencil" in cell.prompt for cell in book.renamed(mine, 1))
    assert "Banksy" not in "".join(book.keep({"Banksy"}))
    assert book.family(mine) == ()


def test_an_anchor_of_ones_own_takes_the_place_of_a_subject():
    cat = Concept("cat", "subject", anchor="dog", parent="animal")
    book = PromptBook(read(SMALL).knowing([cat]))

    anchors = {prompt.text: prompt.anchor for prompt in book.forget(cat)}

    assert anchors["a photo of a cat"] == "a photo of a dog"
    assert anchors["a painting of a cat"] == "a painting of a dog"
    target = book.target(cat, "anchor", 1)
    assert {cell.prompt for cell in target} >= {"a photograph showing a dog"}


def test_a_family_s_prompts_name_no_member_of_it():
    book = PromptBook(world())
    cells = book.family(world().concepts["Picasso"], 1)

    assert [cell.prompt for cell in cells][:2] == ["a cubist cat", "a cubist bird"]
    assert {cell.style for cell in cells} == {""}
    animals = book.family(world().concepts["cat"], 1)
    assert {cell.subject for cell in animals} == {""}
    assert "a painting of an animal by Monet" in {cell.prompt for cell in animals}
    assert book.family(world().concepts["Klimt"]) == ()


def test_other_names_that_share_a_word_are_not_asked_for():
    book = PromptBook(world())

    cells = book.renamed(world().concepts["Picasso"], 2)

    assert len(cells) == 32
    assert all("the painter of Guernica" in cell.prompt for cell in cells)
    assert {cell.style for cell in cells} == {"Picasso"}


def test_a_file_s_free_prompts_carry_their_contexts():
    rows = [{"text": "two whiskers", "context": "a hair"}]
    data = {"concepts": {"cat": {"kind": "subject", "prompts": rows}}}

    (concept,) = ConceptSet.of(data, "mine.toml").concepts.values()

    assert concept.prompts == (("two whiskers", "a hair"),)


def test_a_free_prompt_without_a_context_is_refused_with_an_example():
    rows = [{"text": "two whiskers"}]
    data = {"concepts": {"cat": {"kind": "subject", "prompts": rows}}}

    with pytest.raises(ConceptError) as caught:
        ConceptSet.of(data, "mine.toml")

    assert "concepts.cat.prompts.0.context" in caught.value.message
    assert 'context = "a ruined city"' in caught.value.fix


def test_who_was_shown_is_listed_once_for_all():
    """`add` after 10,000 erasures took 169 s: the names of all subjects were listed
    anew for each kept prompt."""
    known = world()

    assert known.subjects is known.subjects
    assert known.styles is known.styles
