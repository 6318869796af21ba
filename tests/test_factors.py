"""A change as two factors: what a rank keeps, and that nothing is clamped."""

from __future__ import annotations

import pytest
import torch

from unlearnlog.core.low_rank import Spectrum, fused, lowest_energy, rank_for
from unlearnlog.core.patch import Full, LowRank


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def of_sizes(*sizes):
    """Return the spectrum of a change with these singular values."""
    n = len(sizes)
    eye = torch.eye(8, dtype=torch.float64)
    return Spectrum(eye[:, :n], torch.tensor(sizes, dtype=torch.float64), eye[:n])


PATCHES = {
    "thin": [LowRank(drawn(12, 3), drawn(3, 9, seed=1))],
    "two thin ones": [
        LowRank(drawn(12, 2), drawn(2, 9, seed=1)),
        LowRank(drawn(12, 3, seed=2), drawn(3, 9, seed=3)),
    ],
    "as many ranks as rows": [LowRank(drawn(12, 9), drawn(9, 9, seed=1))],
    "written out": [Full(drawn(12, 9)), LowRank(drawn(12, 1), drawn(1, 9))],
}


@pytest.mark.parametrize("patches", PATCHES.values(), ids=PATCHES.keys())
def test_all_of_a_change_is_in_its_factors(patches):
    dense = sum(patch.dense() for patch in patches)
    spectrum = Spectrum.of(patches)

    left, right = spectrum.factors(len(spectrum.sizes))

    expected = torch.linalg.svdvals(dense)
    assert torch.allclose(spectrum.sizes, expected[: len(spectrum.sizes)])
    assert (left.dtype, right.dtype) == (torch.float32, torch.float32)
    assert float((left.double() @ right.double() - dense).norm() / dense.norm()) < 3e-7


@pytest.mark.parametrize(
    "patch", [LowRank(drawn(12, 3), drawn(3, 9)), Full(drawn(12, 9))]
)
def test_what_was_added_and_taken_back_has_no_rank(patch):
    spectrum = Spectrum.of([patch, -patch])

    assert len(spectrum.sizes) == 0
    assert spectrum.rank_for(0.9999) == 0


def test_rounding_in_the_solver_is_no_rank():
    left = drawn(12, 1)

    spectrum = Spectrum.of([LowRank(left.repeat(1, 4), drawn(1, 9).repeat(4, 1))])

    assert len(spectrum.sizes) == 1


def test_the_rank_is_the_smallest_that_keeps_the_share_exactly():
    spectrum = of_sizes(4.0, 3.0)  # squares: 16 and 9 of 25

    assert spectrum.energy(1) == 0.64
    assert spectrum.rank_for(0.64) == 1
    assert spectrum.rank_for(0.6400001) == 2
    assert spectrum.rank_for(1.0) == 2


def test_every_change_keeps_its_share_at_the_common_rank():
    spectra = {"one": of_sizes(1.0), "three": of_sizes(1.0, 1.0, 1.0)}

    assert rank_for(spectra, 0.6) == 2
    assert lowest_energy(spectra, 2) == pytest.approx(2 / 3)
    assert spectra["one"].factors(2)[0][:, 1].abs().max() == 0


def test_an_outlier_is_kept_as_large_as_it_is():
    value = torch.full((40, 30), 1e-3)
    value[7, 11] = 100.0

    left, right = Spectrum.of([Full(value)]).factors(2)

    assert float((left @ right)[7, 11]) == pytest.approx(100.0, rel=1e-6)
    assert float(left[7].abs().max()) == pytest.approx(10.0, rel=1e-3)
    assert float(right[:, 11].abs().max()) == pytest.approx(10.0, rel=1e-3)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_loader_adds_in_the_dtype_of_the_base(dtype):
    base = {"w": drawn(12, 9).to(dtype)}
    left, right = drawn(12, 2, seed=1), drawn(2, 9, seed=2)

    found = fused(base, {"w": (left, right)})["w"]

    assert found.dtype == dtype
    error = (
        found.double() - (base["w"].double() + left.double() @ right.double())
    ).abs()
    assert float(error.max()) < 8 * torch.finfo(dtype).eps * 4


def test_what_the_base_s_dtype_cannot_hold_is_found():
    with pytest.raises(ValueError, match="w is not finite"):
        fused(
            {"w": torch.ones(2, 2, dtype=torch.float16)},
            {"w": (torch.full((2, 1), 300.0), torch.full((1, 2), 300.0))},
        )
