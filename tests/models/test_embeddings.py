"""Textual inversions in every spelling that tools write, of one model's widths."""

import pytest
import torch
from safetensors.torch import save_file

from unlearnlog.audits.attacks.new_token import NewToken
from unlearnlog.checkpoints.embedding_files import embeddings_of
from unlearnlog.errors import DeltaError, ModelError, UsageError

ONE, TWO = (32,), (32, 48)
L, G = torch.full((3, 32), 0.5), torch.full((3, 48), 0.25)


def written(folder, tensors, name="pic.safetensors"):
    save_file(tensors, folder / name)
    return folder / name


@pytest.mark.parametrize(
    ("tensors", "token"),
    [
        ({"emb_params": L}, "<pic>"),  # A1111's and kohya's
        ({"string_to_param.*": L}, "<pic>"),  # A1111's, flattened
        ({"<cat-toy>": L}, "<cat-toy>"),  # diffusers'
        ({"clip_l": L}, "<pic>"),
        ({"text_encoders_0": L}, "<pic>"),
    ],
)
def test_a_file_for_one_text_encoder_is_read(tmp_path, tensors, token):
    file = written(tmp_path, tensors)

    found = embeddings_of([file], ONE)

    assert list(found.tokens) == [token]
    assert torch.equal(found.tokens[token][0], L)
    assert len(found.sha256[0]) == 64


@pytest.mark.parametrize(
    "keys", [("clip_l", "clip_g"), ("text_encoders_0", "text_encoders_1")]
)
def test_a_file_for_two_text_encoders_is_read(tmp_path, keys):
    file = written(tmp_path, dict(zip(keys, (L.half(), G.half()), strict=True)))

    (found,) = embeddings_of([file], TWO).tokens.values()

    assert [each.dtype for each in found] == [torch.float32] * 2
    assert torch.equal(found[1], G)


def test_a_vector_alone_is_a_token_of_one(tmp_path):
    file = written(tmp_path, {"<x>": torch.ones(32)})

    assert embeddings_of([file], ONE).tokens["<x>"][0].shape == (1, 32)


@pytest.mark.parametrize(
    ("tensors", "widths"),
    [
        ({"clip_l": L, "clip_g": G}, ONE),
        ({"emb_params": L}, TWO),
        ({"<x>": torch.ones(2, 31)}, ONE),
        ({"<x>": torch.ones(0, 32)}, ONE),
        ({"emb_params": L, "more": torch.ones(3, 5)}, ONE),
    ],
)
def test_vectors_of_another_model_are_refused_with_their_shapes(
    tmp_path, tensors, widths
):
    file = written(tmp_path, tensors)

    with pytest.raises(ModelError, match="no textual inversion for this") as caught:
        embeddings_of([file], widths)

    key, tensor = next(iter(tensors.items()))
    assert str(list(tensor.shape)) in caught.value.message
    assert key in caught.value.message


@pytest.mark.parametrize("name", ["pic.pt", "pic.bin"])
def test_a_pickled_inversion_is_refused_with_its_conversion(tmp_path, name):
    (tmp_path / name).write_bytes(b"anything")

    with pytest.raises(ModelError, match="is a pickle") as caught:
        embeddings_of([tmp_path / name], ONE)

    assert "'emb_params'" in caught.value.fix


def test_numbers_that_are_not_finite_are_refused(tmp_path):
    file = written(tmp_path, {"<x>": torch.full((1, 32), torch.nan)})

    with pytest.raises(DeltaError, match="not finite"):
        embeddings_of([file], ONE)


def test_two_files_of_one_token_are_refused(tmp_path):
    files = [written(tmp_path, {"<x>": L}, f"{n}.safetensors") for n in "ab"]

    with pytest.raises(UsageError, match="'<x>', which another file has too"):
        embeddings_of(files, ONE)


def test_random_vectors_have_the_norms_of_the_tokens_and_nothing_else():
    token = NewToken("<x>", (torch.randn(3, 32), torch.randn(3, 48)))

    one, other = token.at_random(), token.at_random()

    for own, null, again in zip(token.vectors, one.vectors, other.vectors, strict=True):
        assert torch.allclose(own.norm(dim=-1), null.norm(dim=-1))
        assert torch.equal(null, again)
        cosines = torch.cosine_similarity(own, null, dim=-1)
        assert cosines.abs().max() < 0.7
