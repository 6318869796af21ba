"""Vectors in the place of words."""

import pytest
import torch

from unlearnlog.errors import PromptError
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import Sampling
from unlearnlog.models.textual_inversion import MARK

SAMPLING = Sampling(steps=2, guidance=3.0)


def ids_of(model, word):
    known = model.vocabulary
    (found,) = (i for i, piece in enumerate(known.pieces) if piece == f"{word} ")
    return torch.tensor([found])


@pytest.mark.parametrize("prompt", ["a painting of a {} by monet", "{}", "a {}"])
def test_a_words_own_vector_in_its_place_is_the_word(tiny, prompt):
    vectors = tiny.vocabulary.vectors(ids_of(tiny, "cat"))

    given = tiny.encode_with([prompt.format(MARK)], vectors)

    assert torch.equal(given.tokens, tiny.encode([prompt.format("cat")]).tokens)


def test_two_encoders_read_vectors_of_their_own(xl):
    vectors = xl.vocabulary.vectors(ids_of(xl, "cat"))
    said = xl.encode(["a cat"])

    given = xl.encode_with([f"a {MARK}"], vectors)

    assert torch.equal(given.tokens, said.tokens)
    assert torch.equal(given.pooled, said.pooled)


def test_the_gradient_of_a_vector_is_its_finite_difference(tiny, tiny_folder):
    exact = DiffusersModel.load(tiny_folder)
    for encoder, _ in exact._parts.encoders:
        encoder.double()
    (word,) = exact.vocabulary.vectors(ids_of(tiny, "dog"))
    vector = word.double().requires_grad_()
    direction = torch.randn(word.shape, generator=torch.Generator().manual_seed(1))

    def seen(at):
        return exact.encode_with([f"a {MARK} by monet"], (at,)).tokens[..., 3].sum()

    seen(vector).backward()
    step = 1e-4 * direction.double()
    with torch.no_grad():
        slope = (seen(vector + step) - seen(vector - step)) / 2e-4

    assert vector.grad is not None
    found = (vector.grad * direction).sum()
    assert float(found) == pytest.approx(float(slope), rel=1e-5)


def test_a_vector_is_heard_by_other_weights_of_the_encoder(tiny):
    vectors = tiny.vocabulary.vectors(ids_of(tiny, "cat"))
    name = "text_encoder.embeddings.token_embedding.weight"
    (table,) = tiny.vocabulary.tables
    other = {name: 2 * table}

    given = tiny.encode_with([f"a {MARK}"], (2 * vectors[0],), weights=other)

    assert torch.equal(given.tokens, tiny.encode(["a cat"], weights=other).tokens)


def test_a_given_text_is_painted_from_the_prompts_own_noise(tiny):
    prompts, seeds = ["a cat", "a dog"], [3, 4]
    swapped = tiny.encode(prompts[::-1])

    own = tiny.paint(
        prompts, seeds, sampling=SAMPLING, texts=tiny.encode(prompts)
    ).latents
    other = tiny.paint(prompts, seeds, sampling=SAMPLING, texts=swapped).latents

    assert torch.equal(own, tiny.paint(prompts, seeds, sampling=SAMPLING).latents)
    assert not torch.equal(own, other)


@pytest.mark.parametrize("prompt", ["a cat", f"{MARK} and {MARK}"])
def test_a_prompt_without_one_mark_is_refused(tiny, prompt):
    vectors = tiny.vocabulary.vectors(ids_of(tiny, "cat"))

    with pytest.raises(ValueError, match="marks"):
        tiny.encode_with([prompt], vectors)


def test_vectors_of_another_width_are_refused(tiny):
    with pytest.raises(ValueError, match="tokens are"):
        tiny.encode_with([f"a {MARK}"], (torch.zeros(1, 3),))


def test_more_vectors_than_an_encoder_reads_are_refused(tiny):
    with pytest.raises(PromptError, match="tokens; the model reads"):
        tiny.encode_with([f"a {MARK}"], (torch.zeros(80, 32),))


def test_as_many_texts_as_prompts_or_nothing_is_painted(tiny):
    with pytest.raises(ValueError, match="and 1 texts"):
        tiny.paint(["a", "b"], [0, 0], sampling=SAMPLING, texts=tiny.encode(["a"]))


def test_the_vocabulary_spells_words_and_leaves_out_the_marks(tiny):
    known = tiny.vocabulary
    ids = torch.cat([ids_of(tiny, "cat"), ids_of(tiny, "monet")])

    assert known.spelt(ids) == "cat monet"
    assert all("|>" not in known.pieces[int(i)] for i in known.words)
    assert len(known.words) == len(known.pieces) - 2
