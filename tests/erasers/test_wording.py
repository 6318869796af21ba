"""An erasure may be told few prompts: what other programs do with a name."""

from __future__ import annotations

import pytest

from tests.erasers.slowly import FORGET, SMALL, request_of
from tests.fakes import NAME
from unlearnlog.core.prompt import Prompt
from unlearnlog.erasers.esd import Esd
from unlearnlog.erasers.forget_me_not import ForgetMeNot
from unlearnlog.erasers.naming_prompts import worded
from unlearnlog.errors import PolicyError

ALONE = Prompt("art by Klimt", "art", "a photo", named="Klimt", sibling="art by Munch")
ALSO = Prompt("a picture by Klimt", "a picture", "a photo", named="Klimt")
CALLED = Prompt("art by Gustav", "art", "a photo", named="Gustav")
WITH_DOG = Prompt("a dog by Klimt", "a dog", "a photo of a dog", named="Klimt")
KLIMT = (WITH_DOG, ALONE, CALLED, ALSO)


def test_all_prompts_are_the_request_itself():
    request = request_of()

    assert worded(request, "all") is request


def test_bare_prompts_say_the_concepts_own_name_and_nothing_else():
    request = request_of(forget=(KLIMT, FORGET), names=("Klimt", "picasso"))

    klimt, picasso = worded(request, "bare").forget

    assert klimt == (ALONE, ALSO)
    assert picasso == FORGET  # which say as much as each other


def test_a_prompt_with_a_place_for_the_name_becomes_what_bare_ones_become():
    request = request_of(forget=(KLIMT,), names=("Klimt",))

    ((said,),) = worded(request, "a photo in the style of {}").forget

    assert (said.text, said.named) == ("a photo in the style of Klimt", "Klimt")
    assert (said.sibling, said.anchor) == (ALONE.sibling, ALONE.anchor)


def test_the_name_alone_is_all_that_is_painted_and_trained():
    """The published program of ESD knows a name; ours once had no way to say so."""
    request = request_of(names=("cat",))

    eraser = Esd(prompts="{}", **SMALL)
    scene = eraser.scene(worded(request, eraser.prompts))

    assert {*scene.forget.texts} == {"cat"}
    assert eraser.erase(request).digest != Esd(**SMALL).erase(request).digest


def test_forget_me_not_finds_the_name_in_a_prompt_that_was_given():
    request = request_of(forget=(KLIMT,), names=("Klimt",))
    said = worded(request, "photo in style of {}")

    marks = ForgetMeNot(marks="name").marked(said, ["photo in style of Klimt"], 8)

    assert marks.nonzero().tolist() == [[0, 5]]


@pytest.mark.parametrize("prompts", ["some", "", "{} by {}"])
def test_other_words_are_refused(prompts):
    with pytest.raises(PolicyError, match=f"esd has no prompts '{prompts}'") as caught:
        Esd.of({"prompts": prompts})

    assert "all, bare" in caught.value.fix


def test_erasing_by_few_prompts_changes_the_same_weights():
    delta = Esd(prompts="bare", **SMALL).erase(request_of())

    assert [*delta.patches] == [NAME]
