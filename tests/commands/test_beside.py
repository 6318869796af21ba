"""Which pictures are shown before and after: those that tell most."""

import base64
import io

import pytest
import torch
from PIL import Image

from unlearnlog.atelier.bundled_concepts import world
from unlearnlog.commands.before_after import (
    ShownPrompt,
    choices,
    data_uri,
    most_telling,
)
from unlearnlog.concepts.prompts import PromptBook
from unlearnlog.core.probe_case import ProbeCase

BOOK = PromptBook(world())


def chosen(*names, each=2):
    gone = {name: BOOK.world.concepts[name] for name in names}
    return [c for name in names for c in choices(BOOK, gone, name, each)]


def test_a_concept_is_shown_with_its_look_alike_and_with_something_unrelated():
    found = chosen("Picasso")

    assert [c.role for c in found] == ["erased", "erased", "look-alike", "unrelated"]
    assert [c.shows for c in found[:3]] == ["Picasso", "Picasso", "Braque"]
    assert found[3].shows not in {"Picasso", "Braque", "photo"}


def test_a_sibling_stands_in_where_there_is_no_look_alike_or_it_is_gone_too():
    assert [c.shows for c in chosen("Van Gogh") if c.role == "sibling"] == ["Munch"]

    roles = {c.role for c in chosen("cat", "dog") if c.about == "cat"}

    assert "look-alike" not in roles
    assert "sibling" in roles


def test_no_picture_names_anything_else_that_is_erased():
    names = ("Picasso", "cat", "Monet", "castle", "Warhol", "dog", "Braque")

    for choice in chosen(*names, each=4):
        named = {choice.cell.subject, choice.cell.style} & {*names}
        assert named == ({choice.about} if choice.role == "erased" else set())


def test_the_prompts_are_the_probes_own():
    probed = {c.prompt for c in BOOK.erased(BOOK.world.concepts["cat"], 1)}

    assert {c.cell.prompt for c in chosen("cat") if c.role == "erased"} <= probed


def test_as_many_prompts_of_each_concept_are_shown_as_asked_for_and_none_twice():
    own = [c.cell for c in chosen("Monet", each=5) if c.role == "erased"]

    assert len(set(own)) == 5


def test_where_there_is_no_room_every_concept_is_shown_before_any_is_shown_twice():
    wanted = [
        ShownPrompt(
            about, role, about, ProbeCase(f"{about} {role} {rank}", 0, "", about), rank
        )
        for about in "abc"
        for role, rank in (("erased", 0), ("erased", 1), ("look-alike", 0))
    ]

    found = most_telling(wanted, 4)

    assert [(c.about, c.role, c.rank) for c in found] == [
        ("a", "erased", 0),
        ("a", "look-alike", 0),
        ("b", "erased", 0),
        ("c", "erased", 0),
    ]


def test_a_small_picture_is_kept_to_the_bit():
    picture = torch.randint(0, 256, (64, 64, 3), dtype=torch.uint8)

    kind, _, coded = data_uri(picture).partition(",")

    image = Image.open(io.BytesIO(base64.b64decode(coded)))
    assert kind == "data:image/png;base64"
    assert image.tobytes() == picture.numpy().tobytes()


@pytest.mark.parametrize("shape", [(512, 512), (300, 600)])
def test_a_large_picture_is_made_small(shape):
    random = torch.Generator().manual_seed(0)
    picture = torch.randint(0, 256, (*shape, 3), dtype=torch.uint8, generator=random)

    found = data_uri(picture)

    image = Image.open(io.BytesIO(base64.b64decode(found.partition(",")[2])))
    assert found.startswith("data:image/jpeg;base64,")
    assert max(image.size) == 256
    assert len(found) * 200 < 16_000_000
