from __future__ import annotations

import torch

from unlearnlog.erasers.text_subspace import complement, fair_moment, second_moment


def moments() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Erased and kept moments in 12 dimensions, and kept tokens that span 8."""
    rng = torch.Generator().manual_seed(1)
    kept = (
        torch.randn(40, 8, generator=rng).double()
        @ torch.randn(8, 12, generator=rng).double()
    )
    erased = torch.randn(30, 12, generator=rng).double()
    return second_moment(erased[None]), second_moment(kept[None]), kept


def test_rows_leave_kept_tokens_alone_where_the_kept_ones_do_not_span_everything():
    erased, kept, tokens = moments()

    rows = complement(erased, kept, rank=4, ridge=1e-9)

    assert (rows @ tokens.T).abs().max() < 1e-3 * tokens.abs().max()


def test_rows_have_unit_energy_on_erased_tokens():
    erased, kept, _ = moments()

    rows = complement(erased, kept, rank=5, ridge=1e-3)

    energy = torch.einsum("ri,ij,rj->r", rows, erased, rows)
    torch.testing.assert_close(energy, torch.ones(5).double())


def test_the_first_row_has_the_largest_ratio_of_all_directions():
    erased, kept, _ = moments()
    ridge = 1e-2
    floor = ridge * kept.trace() / 12 * torch.eye(12).double()

    rows = complement(erased, kept, rank=1, ridge=ridge)

    def ratio(b: torch.Tensor) -> float:
        return float((b @ erased @ b) / (b @ (kept + floor) @ b))

    rng = torch.Generator().manual_seed(2)
    others = torch.randn(2000, 12, generator=rng).double()
    assert ratio(rows[0]) >= max(ratio(b) for b in others)


def test_rows_that_would_leak_are_left_out_but_for_the_best():
    erased = torch.eye(4).double()
    kept = torch.diag(torch.tensor([0.01, 0.2, 1.0, 5.0])).double()

    rows = complement(erased, kept, rank=4, ridge=1e-9, leak=0.5)
    least = complement(erased, kept, rank=4, ridge=1e-9, leak=1e-6)

    assert rows.shape == (2, 4)
    assert least.shape == (1, 4)


def test_directions_without_erased_energy_are_not_used():
    kept = torch.eye(6).double()
    erased = torch.diag(torch.tensor([1.0, 2.0, 0, 0, 0, 0])).double()

    rows = complement(erased, kept, rank=6, ridge=1e-3)

    assert rows.shape == (2, 6)


def test_no_prompt_is_sacrificed_where_a_mean_would_sacrifice_one():
    """A mean over prompts once let a direction that only mushrooms need look free."""
    rng = torch.Generator().manual_seed(3)
    erased = second_moment(
        torch.eye(6)[:1, None].double() + torch.eye(6)[1, None, None]
    )
    kept = 0.3 * torch.randn(60, 4, 6, generator=rng).double()
    kept[0, :, 0] += 2.0
    moment = fair_moment(kept, erased, rank=1, ridge=1e-3, leak=10.0)

    plain = complement(erased, second_moment(kept), rank=1, ridge=1e-3)
    fair = complement(erased, moment, rank=1, ridge=1e-3)

    def worst(rows: torch.Tensor) -> float:
        return float((kept @ rows.T).square().mean(1).sum(1).max())

    assert worst(fair) < 0.8 * worst(plain)


def test_a_fair_moment_is_a_weighted_mean_of_the_prompts_own():
    rng = torch.Generator().manual_seed(5)
    kept = torch.randn(5, 3, 4, generator=rng).double()
    erased = torch.eye(4).double()

    moment = fair_moment(kept, erased, rank=2, ridge=1e-3, leak=10.0)

    own = torch.stack([second_moment(each[None]).flatten() for each in kept])
    weights = torch.linalg.lstsq(own.T, moment.flatten()[:, None]).solution[:, 0]
    assert abs(float(weights.sum()) - 1) < 1e-9
    assert float(weights.min()) > 0
