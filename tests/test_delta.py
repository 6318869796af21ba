import hashlib

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from unlearnlog.core.delta import (
    Delta,
    Full,
    LowRank,
    change_after,
    merged,
    raw_bytes,
    rounded,
    state_after,
    state_digest,
    tensor_digest,
    tensor_record,
)
from unlearnlog.core.digest import digest_of

DTYPES = [torch.float16, torch.bfloat16, torch.float32]
ROOT = digest_of(b"a base")


def _base(dtype=torch.float16):
    random = torch.Generator().manual_seed(0)
    shapes = {"unet.a": (6, 4), "unet.b": (5, 4), "unet.c": (3, 4)}
    return {n: torch.randn(s, generator=random).to(dtype) for n, s in shapes.items()}


def _delta(seed, scale=0.1):
    """Make a change with factors in one tensor, written out in another."""
    random = torch.Generator().manual_seed(seed)
    left = scale * torch.randn(6, 2, generator=random)
    right = torch.randn(2, 4, generator=random)
    value = scale * torch.randn(5, 4, generator=random)
    return Delta({"unet.a": LowRank(left, right), "unet.b": Full(value)})


def _same(one, two):
    return one.keys() == two.keys() and all(
        one[n].dtype == two[n].dtype and bytes(raw_bytes(one[n])) == raw_bytes(two[n])
        for n in one
    )


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_state_is_the_base_plus_an_exact_sum_rounded_once(dtype):
    base, deltas = _base(dtype), [_delta(1), _delta(2), _delta(3)]

    state = state_after(base, deltas)

    change = sum(delta.patches["unet.b"].dense() for delta in deltas)
    wanted = (base["unet.b"].double() + change).float().to(dtype)
    assert torch.equal(state["unet.b"], wanted)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_state_holds_the_touched_tensors_only_in_the_dtype_of_the_base(dtype):
    state = state_after(_base(dtype), [_delta(1)])

    assert state.keys() == {"unet.a", "unet.b"}
    assert {tensor.dtype for tensor in state.values()} == {dtype}


@pytest.mark.parametrize("dtype", DTYPES)
def test_dropping_a_delta_gives_the_bits_of_never_having_added_it(dtype):
    base = _base(dtype)
    with_it = [_delta(1), _delta(2), _delta(3)]

    left_out = state_after(base, [with_it[0], with_it[2]])

    assert _same(left_out, state_after(base, [_delta(1), _delta(3)]))
    assert not _same(left_out, state_after(base, with_it))


def test_subtracting_would_not_give_the_same_bits():
    """Why a state is replayed: the measured harm of the other way."""
    base = _base()
    added = state_after(base, [_delta(1)])

    undone = {
        name: (tensor.float() - _delta(1).patches[name].dense()).half()
        for name, tensor in added.items()
    }

    assert any(not torch.equal(undone[name], base[name]) for name in undone)


def test_rounding_once_is_not_rounding_after_each_delta():
    base, deltas = _base(), [_delta(seed) for seed in range(8)]
    state = state_after(base, deltas)

    often = dict(base)
    for delta in deltas:
        often |= state_after(often, [delta])

    assert not _same(state, {name: often[name] for name in state})


@pytest.mark.parametrize("dtype", DTYPES)
@given(order=st.permutations(range(6)))
def test_the_order_of_deltas_means_nothing(dtype, order):
    base, deltas = _base(dtype), [_delta(seed) for seed in range(6)]

    assert _same(
        state_after(base, [deltas[i] for i in order]), state_after(base, deltas)
    )


def test_to_take_a_delta_out_of_a_sum_is_never_to_have_added_it():
    deltas = [_delta(seed) for seed in range(6)]

    without = change_after([deltas[2].negated()], change_after(deltas))

    wanted = change_after(deltas[:2] + deltas[3:])
    assert without.keys() == wanted.keys()
    assert all(torch.equal(without[name], wanted[name]) for name in wanted)


def test_a_long_history_is_summed_a_few_deltas_at_a_time():
    deltas = [_delta(seed, scale=0.01) for seed in range(150)]

    found = change_after(deltas)

    for name, change in found.items():
        slow = torch.zeros_like(change)
        for delta in deltas:
            slow += delta.patches[name].dense()
        assert torch.equal(change, slow)


def test_no_delta_touches_nothing():
    assert state_after(_base(), []) == {}


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_replay_leaves_the_base_alone(dtype):
    base = _base(dtype)

    state = state_after(base, [_delta(1)])
    for tensor in state.values():
        tensor.zero_()

    assert _same(base, _base(dtype))


def test_a_replay_may_stop_and_go_on():
    base, deltas = _base(), [_delta(1), _delta(2)]

    halfway = change_after(deltas[:1])
    state = rounded(base, change_after(deltas[1:], halfway))

    assert _same(state, state_after(base, deltas))
    assert all(torch.equal(halfway[n], t) for n, t in change_after(deltas[:1]).items())


def test_the_bits_do_not_depend_on_the_number_of_threads():
    random = torch.Generator().manual_seed(0)
    base = {"w": torch.randn(320, 768, generator=random).half()}
    factors = (
        torch.randn(320, 8, generator=random),
        torch.randn(8, 768, generator=random),
    )
    delta, before = Delta({"w": LowRank(*factors)}), torch.get_num_threads()

    states = []
    try:
        for n in (1, 2, 3):
            torch.set_num_threads(n)
            states.append(state_after(base, [delta]))
    finally:
        torch.set_num_threads(before)

    assert _same(states[0], states[1])
    assert _same(states[0], states[2])


def test_a_tensor_the_base_does_not_have_is_named():
    with pytest.raises(ValueError, match=r"no tensor unet\.z"):
        state_after(_base(), [Delta({"unet.z": Full(torch.ones(2, 2))})])


def test_a_patch_of_another_shape_is_refused_with_both_shapes():
    with pytest.raises(ValueError, match=r"unet\.a is \[6, 4\], its patch \[4, 6\]"):
        state_after(_base(), [Delta({"unet.a": Full(torch.ones(4, 6))})])


def test_a_sum_too_large_for_the_dtype_is_refused():
    base = {"unet.a": torch.full((6, 4), 65_504.0).half()}

    with pytest.raises(ValueError, match=r"unet\.a is not finite in torch\.float16"):
        state_after(base, [Delta({"unet.a": Full(torch.full((6, 4), 500.0))})])


def test_a_base_that_float32_cannot_hold_is_refused():
    with pytest.raises(ValueError, match=r"torch\.float64"):
        state_after(_base(torch.float64), [_delta(1)])


def test_a_digest_does_not_depend_on_the_order_of_patches():
    patches = dict(_delta(1).patches)

    turned = Delta(dict(reversed(patches.items())))

    assert turned.digest == Delta(patches).digest
    assert turned == Delta(patches)
    assert hash(turned) == hash(Delta(patches))


@pytest.mark.parametrize(
    "other",
    [
        {"w": Full(torch.tensor([[1.0, -0.0]]))},
        {"v": Full(torch.tensor([[1.0, 0.0]]))},
        {"w": Full(torch.tensor([[1.0], [0.0]]))},
        {"w": Full(torch.tensor([1.0, 0.0]))},
        {"w": LowRank(torch.ones(1, 1), torch.tensor([[1.0, 0.0]]))},
        {"w": Full(torch.tensor([[1.0, 0.0]])), "x": Full(torch.ones(1))},
        {},
    ],
)
def test_a_digest_depends_on_names_kinds_shapes_and_bits(other):
    delta = Delta({"w": Full(torch.tensor([[1.0, 0.0]]))})

    assert Delta(other).digest != delta.digest
    assert Delta(other) != delta


def test_the_same_product_in_other_factors_is_another_delta():
    one, two = torch.ones(2, 1), 2 * torch.ones(1, 2)

    assert Delta({"w": LowRank(one, two)}) != Delta({"w": LowRank(two.T, one.T)})


def test_a_delta_is_equal_to_deltas_only():
    assert _delta(1) != _delta(1).digest


def test_patches_cannot_be_changed_from_outside():
    patches = dict(_delta(1).patches)
    delta = Delta(patches)

    patches.clear()

    assert delta == _delta(1)
    with pytest.raises(TypeError):
        delta.patches["w"] = Full(torch.ones(1))  # type: ignore[index]


def test_deltas_cannot_be_added_or_subtracted():
    with pytest.raises(TypeError):
        _delta(1) + _delta(2)
    with pytest.raises(TypeError):
        _delta(1) - _delta(2)


def test_size_and_norm_are_those_of_all_patches():
    delta = _delta(1)

    dense = torch.cat([patch.dense().flatten() for patch in delta.patches.values()])
    assert delta.n_bytes == 4 * (12 + 8 + 20)
    assert delta.norm == pytest.approx(dense.norm().item(), rel=1e-5)


def _listening_to(*columns):
    """Make a delta that reads the given input columns only."""
    rows = torch.eye(4)[list(columns)]
    random = torch.Generator().manual_seed(len(columns))
    return Delta({"w": LowRank(torch.randn(6, len(columns), generator=random), rows)})


@pytest.mark.parametrize(
    ("other", "overlap"),
    [
        (_listening_to(0, 1), 1.0),
        (_listening_to(1, 2), 1.0),
        (_listening_to(2, 3), 0.0),
        (Delta({"v": _listening_to(0).patches["w"]}), 0.0),
        (
            Delta({"w": LowRank(torch.ones(6, 1), torch.tensor([[1.0, 0, 1, 0]]))}),
            0.5**0.5,
        ),
        (
            Delta({"w": Full(torch.ones(6, 1) @ torch.tensor([[1.0, 0, 1, 0]]))}),
            0.5**0.5,
        ),
        (Delta({"w": Full(torch.zeros(6, 4))}), 0.0),
        (Delta({"w": LowRank(torch.ones(6, 0), torch.ones(0, 4))}), 0.0),
        (Delta({}), 0.0),
    ],
)
def test_overlap_is_the_cosine_between_the_inputs_two_deltas_read(other, overlap):
    delta = _listening_to(0, 1)

    assert delta.overlap(other) == pytest.approx(overlap, abs=1e-6)
    assert other.overlap(delta) == pytest.approx(overlap, abs=1e-6)


def test_overlap_of_two_biases_is_the_cosine_between_them():
    one, two = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1.0])

    overlap = Delta({"b": Full(one)}).overlap(Delta({"b": Full(two)}))

    assert overlap == pytest.approx(0.5**0.5)


def test_a_row_that_the_left_factor_cancels_is_not_read():
    left, right = torch.tensor([[1.0, 0.0], [1.0, 0.0]]), torch.eye(2)

    overlap = Delta({"w": LowRank(left, right)}).overlap(
        Delta({"w": Full(torch.tensor([[0.0, 1.0], [0.0, 1.0]]))})
    )

    assert overlap == pytest.approx(0.0, abs=1e-6)


@pytest.mark.parametrize(
    ("tensor", "octets"),
    [
        (torch.tensor([1.0], dtype=torch.float16), "003c"),
        (torch.tensor([1.0], dtype=torch.bfloat16), "803f"),
        (torch.tensor([1.0]), "0000803f"),
        (torch.tensor([1.0], dtype=torch.float64), "000000000000f03f"),
        (torch.tensor([[1, 2], [3, 4]], dtype=torch.int16), "0100020003000400"),
        (torch.tensor([[1, 2], [3, 4]], dtype=torch.int16).T, "0100030002000400"),
        (torch.tensor(True), "01"),
        (torch.ones(0, 3), ""),
    ],
)
def test_raw_bytes_are_row_major_and_little_endian(tensor, octets):
    assert bytes(raw_bytes(tensor)).hex() == octets
    assert (
        tensor_record(tensor).sha256
        == hashlib.sha256(bytes.fromhex(octets)).hexdigest()
    )


def test_raw_bytes_are_the_same_on_a_big_endian_machine(monkeypatch):
    swapped = torch.tensor([0x0201], dtype=torch.int16)

    monkeypatch.setattr("sys.byteorder", "big")

    assert bytes(raw_bytes(swapped)) == b"\x02\x01"


def test_a_digest_tells_dtype_and_shape_apart_from_bytes():
    zeros = [
        torch.zeros(2, 2, dtype=torch.float16),
        torch.zeros(2, 2, dtype=torch.bfloat16),
        torch.zeros(4, 1, dtype=torch.float16),
        torch.zeros(2, 1, dtype=torch.float32),
        torch.zeros(1, dtype=torch.float64),
    ]

    assert len({raw_bytes(tensor).tobytes() for tensor in zeros}) == 1
    assert len({tensor_digest(tensor) for tensor in zeros}) == len(zeros)


def test_a_state_digest_does_not_depend_on_the_order_of_a_dict():
    state = state_after(_base(), [_delta(1)])

    turned = dict(reversed(state.items()))

    assert state_digest(turned, ROOT) == state_digest(state, ROOT)


def test_a_state_digest_depends_on_the_base_and_on_one_bit():
    state = state_after(_base(), [_delta(1)])
    other = {name: tensor.clone() for name, tensor in state.items()}
    other["unet.a"].view(torch.int16)[0, 0] ^= 1

    digests = {
        state_digest(state, ROOT),
        state_digest(other, ROOT),
        state_digest(state, digest_of(b"another base")),
        state_digest({}, ROOT),
    }

    assert len(digests) == 4


@given(st.lists(st.integers(0, 5), max_size=6), st.data())
def test_whatever_is_dropped_is_as_if_it_had_never_been(seeds, data):
    base = _base()
    kept = data.draw(st.lists(st.booleans(), min_size=len(seeds), max_size=len(seeds)))
    history = [_delta(seed) for seed in seeds]

    dropped = state_after(
        base, (d for d, keep in zip(history, kept, strict=True) if keep)
    )

    never = [_delta(seed) for seed, keep in zip(seeds, kept, strict=True) if keep]
    assert state_digest(dropped, ROOT) == state_digest(state_after(base, never), ROOT)


def test_deltas_are_merged_into_their_exact_sum():
    rng = torch.Generator().manual_seed(11)
    thin = [
        LowRank(torch.randn(4, r, generator=rng), torch.randn(r, 3, generator=rng))
        for r in (1, 2)
    ]
    full = Full(torch.randn(4, 3, generator=rng))

    both = merged([Delta({"a": thin[0], "b": full}), Delta({"a": thin[1]})])

    a, b = both.patches["a"], both.patches["b"]
    assert isinstance(a, LowRank)
    assert torch.equal(a.dense(), thin[0].dense() + thin[1].dense())
    assert torch.equal(b.dense(), full.dense())
    mixed = merged([Delta({"a": thin[0]}), Delta({"a": full})]).patches["a"]
    assert torch.equal(mixed.dense(), (thin[0].dense() + full.dense()).float().double())


def test_a_delta_times_a_number_is_so_many_times_the_change():
    rng = torch.Generator().manual_seed(12)
    delta = Delta(
        {
            "a": LowRank(torch.randn(4, 1, generator=rng), torch.ones(1, 3)),
            "b": Full(torch.randn(4, 3, generator=rng)),
        }
    )

    half = delta.times(0.5)

    for name, patch in delta.patches.items():
        torch.testing.assert_close(
            half.patches[name].dense(), 0.5 * patch.dense(), rtol=0, atol=1e-6
        )
    assert delta.times(1.0) == delta
    assert delta.times(-1.0) == delta.negated()
