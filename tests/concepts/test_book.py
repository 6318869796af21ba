import re
from dataclasses import replace

import pytest

from tests.wording import meaning, named, names, says
from unlearnlog.atelier.bundled_concepts import book, world
from unlearnlog.concepts.prompts import PER_CELL, PromptBook
from unlearnlog.concepts.templates import EMPTY, PLAIN
from unlearnlog.core.prompt import TARGETS
from unlearnlog.errors import ConceptError

WORLD = world()
BOOK = book()
CONCEPTS = [WORLD.concepts[name] for name in (*WORLD.styles, *WORLD.subjects)]
each_concept = pytest.mark.parametrize("concept", CONCEPTS, ids=lambda c: c.id)


@pytest.fixture(scope="module")
def forgotten():
    """Every text of every concept's forget set."""
    named = {p.text for concept in CONCEPTS for p in BOOK.forget(concept)}
    kin = {t for c in CONCEPTS for pair in BOOK.kin(c, {c.name}) for t in pair}
    return named | kin


@pytest.fixture(scope="module")
def probed():
    """Every cell that any probe of any concept paints."""
    cells = set(BOOK.kept(()))
    for concept in CONCEPTS:
        cells |= set(BOOK.erased(concept)) | set(BOOK.family(concept))
        for target in TARGETS:
            cells |= set(BOOK.target(concept, target))
    return cells


def test_a_share_of_the_kept_cells_has_each_style_and_is_always_the_same():
    few, all_of = BOOK.kept({"Picasso"}, 1, 0.1), BOOK.kept({"Picasso"}, 1)

    assert set(few) < set(all_of)
    assert {cell.style for cell in few} == {cell.style for cell in all_of}
    assert len({cell.subject for cell in few}) > 8
    assert few == BOOK.kept({"Picasso"}, 1, 0.1)
    assert set(few) <= set(BOOK.kept((), 1, 0.1))
    assert BOOK.kept({"Picasso"}, 1, 1.0) == all_of


def test_there_are_thirty_two_concepts_to_erase():
    assert len({concept.name for concept in CONCEPTS}) == 32


def test_no_probe_asks_for_what_any_forget_set_asks_for(forgotten, probed):
    texts = {cell.prompt for cell in probed}

    assert texts & forgotten == set()


def test_no_probe_starts_from_the_latent_of_any_forget_set(forgotten, probed):
    """A latent is a function of prompt and seed, and a forget set may use any seed."""
    seeds = {cell.seed for cell in probed}
    latents = {(cell.prompt, cell.seed) for cell in probed}

    assert latents & {(text, seed) for text in forgotten for seed in seeds} == set()


def test_no_forget_set_names_a_reserved_cell(forgotten):
    reserved = {
        (subject, style)
        for subject in WORLD.subjects
        for style in WORLD.styles
        if BOOK.is_reserved(subject, style)
    }
    said = {cell for text in forgotten for cell in meaning(text) if _is_one(text)}

    assert len(reserved) == len(WORLD.subjects) * len(WORLD.styles) // 4
    assert len(said) == 192 + len(WORLD.subjects)
    assert reserved & said == set()


def _is_one(text):
    return len(meaning(text)) == 1


def test_what_remains_is_never_reserved():
    """Once (fish, photo) was, and yet "a photo of a fish" was in the forget set."""
    photos = [BOOK.is_reserved(subject, PLAIN) for subject in WORLD.subjects]
    scenes = [BOOK.is_reserved(EMPTY, style) for style in WORLD.styles]

    assert not any(photos + scenes)


def test_every_concept_has_four_reserved_cells_to_be_judged_on():
    for style in WORLD.styles:
        assert sum(BOOK.is_reserved(subject, style) for subject in WORLD.subjects) == 4
    for subject in WORLD.subjects:
        assert sum(BOOK.is_reserved(subject, style) for style in WORLD.styles) == 4


@each_concept
def test_a_forget_prompt_names_the_concept_and_what_remains_does_not(concept):
    prompts = BOOK.forget(concept)

    assert len(prompts) == len(set(prompts)) >= 50
    for prompt in prompts:
        assert named(prompt.text, [concept.name])
        assert not named(prompt.context, [concept.name])
        assert not named(prompt.anchor, [concept.name])


@each_concept
def test_every_name_of_a_concept_is_in_its_forget_set(concept):
    texts = [prompt.text for prompt in BOOK.forget(concept)]

    for name in names(concept.name):
        assert any(says(text, name) for text in texts)


@each_concept
def test_a_context_means_the_same_picture_with_the_concept_set_free(concept):
    other = 0 if concept.kind == "style" else 1

    for prompt in BOOK.forget(concept):
        before = {cell[other] for cell in meaning(prompt.text)}
        after = {cell[other] for cell in meaning(prompt.context)}
        assert before == after


@each_concept
def test_a_kept_prompt_never_names_the_concept(concept):
    kept = BOOK.keep({concept.name})

    assert "" in kept
    assert len(kept) == len(set(kept))
    assert [text for text in kept if named(text, [concept.name])] == []


@each_concept
def test_every_other_concept_is_among_the_kept_prompts(concept):
    kept = " | ".join(BOOK.keep({concept.name}))

    others = {c.name for c in CONCEPTS} - {concept.name}
    assert set(named(kept, others)) == others


@each_concept
def test_a_probe_asks_for_what_its_cell_says(concept):
    for cell in BOOK.erased(concept, 2):
        assert concept.name == cell.shows(concept.kind)
        assert meaning(cell.prompt) == {(cell.subject, cell.style)}


def test_kept_cells_show_all_that_is_left_and_nothing_that_is_gone():
    cells = BOOK.kept({"Picasso", "cat"}, 1)

    assert len(cells) == 15 * 16
    assert not {"Picasso", "cat"} & {n for c in cells for n in (c.subject, c.style)}
    assert all(meaning(c.prompt) == {(c.subject, c.style)} for c in cells)


def test_more_pictures_a_cell_begin_with_the_same_pictures():
    few, many = BOOK.kept({"Picasso"}, 1), BOOK.kept({"Picasso"}, PER_CELL)

    assert many[: len(few)] == few
    assert len(set(many)) == PER_CELL * len(few)


@each_concept
@pytest.mark.parametrize("target", TARGETS)
def test_every_picture_of_a_target_is_another_one_without_the_concept(concept, target):
    cells = BOOK.target(concept, target, 2)

    assert len({(cell.prompt, cell.seed) for cell in cells}) == len(cells)
    assert not [cell for cell in cells if named(cell.prompt, [concept.name])]


def test_the_anchor_of_a_style_is_the_photo_and_of_a_subject_the_empty_scene():
    style = BOOK.target(WORLD.concept("Picasso"), "anchor", 1)
    subject = BOOK.target(WORLD.concept("cat"), "anchor", 1)

    assert {style for c in style for _, style in meaning(c.prompt)} == {PLAIN}
    assert {noun for c in subject for noun, _ in meaning(c.prompt)} == {EMPTY}


@each_concept
def test_nats_are_read_on_the_probe_s_own_prompts_with_their_contexts(concept):
    cells = BOOK.erased(concept, 2)
    other = 0 if concept.kind == "style" else 1

    prompts = BOOK.information(cells, concept)

    assert [prompt.text for prompt in prompts] == [cell.prompt for cell in cells]
    for prompt in prompts:
        after = meaning(prompt.context)
        assert {c[other] for c in after} == {c[other] for c in meaning(prompt.text)}
        assert len(after) in (16, 256)
        assert not named(prompt.anchor, [concept.name])


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Picasso", "Picasso"),
        ("  pICASSO ", "Picasso"),
        ("Pablo  Picasso", "Picasso"),
        ("the painter of guernica", "Picasso"),
        ("van-gogh", "Van Gogh"),
        ("feline", "cat"),
        ("CASTLE", "castle"),
        ("Hiroshige", "Hiroshige"),
    ],
)
def test_a_concept_is_found_by_any_of_its_names(typed, name):
    assert WORLD.concept(typed).name == name


def test_a_concept_carries_what_the_graph_knows_of_it():
    concept = WORLD.concept("Picasso")

    assert concept.kind == "style"
    assert concept.aliases == ("Pablo Picasso", "the painter of Guernica")
    assert (concept.parent, concept.anchor) == ("cubism", "photo")


@pytest.mark.parametrize(
    ("typed", "message", "fix"),
    [
        ("photo", "'photo' is the plain picture, not a concept", "name an artist"),
        ("Plain style", "'Plain style' is the plain picture", "name an artist"),
        ("Foo", "not trained on 'Foo': nothing to erase", "known: balloon, bird"),
        ("PICASO", "not trained on 'PICASO'", "did you mean 'Picasso'?"),
        ("hiroshi", "not trained on 'hiroshi'", "known: balloon, bird"),
        ("cubism", "'cubism' is a family of 2", "Picasso, Braque"),
        ("pop art", "'pop art' is a family of 2", "Warhol"),
        ("Animal", "'Animal' is a family of 5", "cat, dog"),
        ("", "is empty", "name the concept"),
        ("   ", "is empty", "name the concept"),
        ("x" * 10_000, "10000 characters long, at most 80", "not a whole prompt"),
        ("Pic\x1basso", "cannot be seen", "type the name again"),
        ("!!", "no letter and no digit", "name the concept"),
    ],
)
def test_a_name_that_names_nothing_is_explained(typed, message, fix):
    with pytest.raises(ConceptError) as caught:
        WORLD.concept(typed)

    assert message in caught.value.message
    assert fix in caught.value.fix
    assert not any(name in caught.value.fix for name in WORLD.held_out)
    assert caught.value.exit_code == 2
    assert len(str(caught.value)) < 600


def test_a_family_s_prompts_go_to_the_members_that_stay():
    cat = WORLD.concepts["cat"]

    pairs = BOOK.kin(cat, {"cat", "dog"})

    stays = {n for _, instead in pairs for n in named(instead, WORLD.subjects)}
    assert {"horse", "bird", "fish"} <= stays
    assert not {"cat", "dog"} & stays
    assert all("animal" in text for text, _ in pairs)


def test_where_no_member_stays_the_anchor_does():
    pairs = BOOK.kin(WORLD.concepts["Picasso"], {"Picasso", "Braque"})

    assert ("a cubist dog", "a photo of a dog") in pairs
    assert all(instead.startswith("a photo") for _, instead in pairs)


def test_nothing_else_that_is_gone_is_painted_on_the_way():
    gone = {"Picasso", "dog", "tree"}
    picasso = WORLD.concepts["Picasso"]

    texts = [t for p in BOOK.forget(picasso, gone) for t in (p.text, p.anchor)]
    texts += [text for pair in BOOK.kin(picasso, gone) for text in pair]

    assert texts
    assert not any({"dog", "tree"} & set(text.split()) for text in texts)
    assert len(BOOK.forget(picasso)) > len(BOOK.forget(picasso, gone))


def test_a_family_of_one_has_no_prompts_of_its_own():
    assert BOOK.kin(WORLD.concepts["Klimt"], {"Klimt"}) == ()


def test_what_is_kept_does_not_hold_a_family_where_it_is():
    before = set(BOOK.keep(()))

    kept = set(BOOK.keep({"Picasso"}))

    assert any("cubist" in text for text in before)
    assert not any("cubist" in text for text in kept)
    assert any("impressionist" in text for text in kept)


def test_where_the_family_is_the_target_its_prompts_are_taught_to_stay():
    """They were pushed to the members that stay, whatever the target was."""
    kept = set(BOOK.keep({"Picasso"}, "parent"))
    picasso = WORLD.concepts["Picasso"]

    assert kept > set(BOOK.keep({"Picasso"}, "sibling"))
    assert {t for t in BOOK.keep(()) if "cubist" in t} <= kept
    assert not any("Picasso" in text for text in kept)
    (pairs,) = BOOK.families([picasso], {"Picasso"}, "parent")
    (others,) = BOOK.families([picasso], {"Picasso"}, "sibling")
    assert [text for text, _ in pairs] == [*dict.fromkeys(t for t, _ in others)]
    assert all(text == goal for text, goal in pairs)
    assert not any(text == goal for text, goal in others)


def test_a_kept_family_s_prompt_beside_what_is_gone_goes_with_it():
    kept = BOOK.keep({"Picasso", "cat"}, "parent")

    assert "a cubist cat" not in kept
    assert "a cubist dog" in kept


def test_a_look_alike_is_looked_at_unless_it_is_gone_too():
    picasso = WORLD.concepts["Picasso"]

    cells = BOOK.alike(picasso, {"Picasso"})

    assert {cell.style for cell in cells} == {"Braque"}
    assert len(cells) == PER_CELL * len(WORLD.subjects)
    assert BOOK.alike(picasso, {"Picasso", "Braque"}) == ()
    assert BOOK.alike(WORLD.concepts["Klimt"], {"Klimt"}) == ()


def test_rivals_are_every_other_concept_in_its_place_and_last_nobody():
    cells = BOOK.erased(WORLD.concepts["Picasso"], 1)

    prompts = BOOK.information(cells, WORLD.concepts["Picasso"])

    for prompt, cell in zip(prompts, cells, strict=True):
        assert len(set(prompt.rivals)) == 16
        others = {style for text in prompt.rivals[:-1] for _, style in meaning(text)}
        assert others == set(WORLD.styles) - {"Picasso"}
        assert prompt.rivals[-1].startswith("a photo")
        assert cell.subject in prompt.rivals[-1]


def test_free_prompts_are_forgotten_with_their_contexts_as_targets():
    concept = replace(
        WORLD.concepts["cat"], prompts=(("two whiskers in the dark", "the dark"),)
    )

    prompts = {p.text: p for p in BOOK.forget(concept)}

    own = prompts["two whiskers in the dark"]
    assert (own.context, own.anchor) == ("the dark", "the dark")
    assert len(prompts) == len(BOOK.forget(WORLD.concepts["cat"])) + 1


def test_each_prompt_says_its_words_for_the_concept_its_family_and_who_stays():
    for prompt in BOOK.forget(WORLD.concept("Picasso")):
        assert prompt.named in WORLD.names("Picasso")
        assert prompt.named in prompt.text
        assert prompt.parent.startswith("a cubist ")
        assert prompt.sibling == prompt.text.replace(prompt.named, "Braque") or (
            prompt.sibling == ""
        )


def test_siblings_take_turns_and_none_that_is_gone_is_among_them():
    animals = set(WORLD.shown(WORLD.concepts["cat"].parent)) - {"cat"}

    def named_in(gone):
        texts = [p.sibling for p in BOOK.forget(WORLD.concepts["cat"], gone)]
        return {a for a in animals for text in texts if re.search(rf"\b{a}\b", text)}

    assert named_in({"cat"}) == animals
    assert named_in({"cat", "dog"}) == animals - {"dog"}
    assert named_in({"cat", *animals}) == set()


def test_no_sibling_shows_a_reserved_cell():
    for concept in CONCEPTS:
        for prompt in BOOK.forget(concept):
            cells = meaning(prompt.sibling) if prompt.sibling else set()
            for subject, style in cells if len(cells) == 1 else ():
                assert not BOOK.is_reserved(subject, style)


def test_what_is_kept_is_a_part_of_what_is_kept_when_nothing_is_gone():
    everything = BOOK.keep(())

    for concept in CONCEPTS:
        some = BOOK.keep({concept.name})
        assert set(some) < set(everything)
        assert not [text for text in some if named(text, [concept.name])]


def test_prompts_that_a_file_keeps_go_with_the_concepts_that_they_name():
    world = replace(WORLD, kept=("a photo of our logo", "our logo by Picasso"))

    assert "our logo by Picasso" in PromptBook(world).keep(())
    assert "our logo by Picasso" not in PromptBook(world).keep({"Picasso"})
    assert "a photo of our logo" in PromptBook(world).keep({"Picasso", "cat"})


def test_families_of_siblings_are_taught_once():
    both = [WORLD.concepts[name] for name in ("Picasso", "Braque")]
    gone = {"Picasso", "Braque"}

    (pairs,) = BOOK.families(both, gone)

    assert pairs == BOOK.kin(both[0], gone)
    assert BOOK.families([WORLD.concepts["Klimt"]], {"Klimt"}) == ()


def test_what_was_never_shown_is_not_reserved():
    held_out = next(n for n in WORLD.held_out if WORLD.concepts[n].kind == "style")

    assert not any(BOOK.is_reserved(subject, held_out) for subject in WORLD.subjects)
