import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from unlearnlog.core.digest import (
    TensorRecord,
    canonical_json,
    digest_of,
    merkle_root,
    plain_json,
)

ONE = TensorRecord(dtype="float16", shape=(2, 3), sha256=digest_of(b"one"))
TEXT = st.text(max_size=8)
TWO = TensorRecord(dtype="float16", shape=(3, 2), sha256=digest_of(b"two"))


def test_canonical_json_does_not_depend_on_the_order_of_keys():
    assert canonical_json({"b": 1, "a": 2.0}) == canonical_json({"a": 2, "b": 1})


def test_a_root_does_not_depend_on_the_order_of_tensors():
    assert merkle_root([("a", ONE), ("b", TWO)]) == merkle_root(
        [("b", TWO), ("a", ONE)]
    )


@pytest.mark.parametrize(
    "other",
    [
        [("b", ONE)],
        [("a", TWO)],
        [("a", ONE), ("b", ONE)],
        [],
        [("a", ONE.model_copy(update={"dtype": "bfloat16"}))],
        [("a", ONE.model_copy(update={"shape": (3, 2)}))],
    ],
)
def test_a_root_depends_on_every_field_of_every_tensor(other):
    assert merkle_root([("a", ONE)]) != merkle_root(other)


def test_a_root_depends_on_the_base():
    assert merkle_root([("a", ONE)], digest_of(b"base")) != merkle_root([("a", ONE)])


def test_a_root_is_what_the_documentation_says():
    """The format written the slow way; changing it would orphan every ledger."""
    text = f'{{"base":null,"tensors":[["a","float16",[2,3],"{ONE.sha256}"]]}}'

    assert merkle_root([("a", ONE)]) == hashlib.sha256(text.encode()).hexdigest()


@pytest.mark.parametrize(
    "sha256", ["", "a" * 63, "A" * 64, "a" * 65, "a" * 64 + "\n", "g" * 64]
)
def test_a_digest_is_64_lower_case_hex_digits(sha256):
    with pytest.raises(ValidationError):
        TensorRecord(dtype="float16", shape=(1,), sha256=sha256)


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXT,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner),
    )
)
def test_plain_json_is_canonical_json(value):
    """For whatever holds no float, its bytes are those of the slow way."""
    try:
        slow = canonical_json(value)
    except ValueError:  # half of a surrogate pair
        with pytest.raises(ValueError, match="surrogates"):
            plain_json(value)
    else:
        assert plain_json(value) == slow
