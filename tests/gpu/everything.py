"""What a model computes on another device, beside what it computes on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from unlearnlog.core.delta import Weights
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.interface import METHODS, Sampling
from unlearnlog.models.textual_inversion import MARK

PROMPTS = ("a photo of a cat by picasso", "a dog", "")
N = len(PROMPTS)

Job = Callable[[DiffusersModel], Any]
"""A part of a model's work, of which all tensors are compared."""


def moved(model: DiffusersModel) -> dict[str, Tensor]:
    """Return other text projections, with a gradient."""
    return {
        name: (1.1 * old.float()).requires_grad_() for name, old in model.base.items()
    }


def drawn(model: DiffusersModel) -> tuple[Tensor, Tensor, Tensor]:
    """Return latents, noise and timesteps."""
    rng = torch.Generator().manual_seed(7)
    shape = (N, *model.latent_shape)
    t = torch.tensor([100, 500, 900])
    return torch.randn(shape, generator=rng), torch.randn(shape, generator=rng), t


def eps(model: DiffusersModel) -> Any:
    """Predict with other weights, and take the gradients."""
    x, noise, t = drawn(model)
    weights = moved(model)
    x_t = model.noised(x, noise, t)
    predicted = model.eps(x_t, t, model.encode(PROMPTS), weights=weights)
    predicted.square().mean().backward()
    return x_t, predicted, [w.grad for w in weights.values()]


def attention(model: DiffusersModel) -> Any:
    """Find the attention to marked words."""
    x, _, t = drawn(model)
    text = model.encode(PROMPTS)
    marks = torch.zeros(N, text.tokens.shape[1], dtype=torch.bool)
    marks[:, 1:3] = True
    return [*model.attention(x, t, text, marks, weights=moved(model)).values()]


def painting(model: DiffusersModel) -> Any:
    """Paint with guidance, with and without other weights, and encode the pictures."""
    how = Sampling(3, 3.0, batch=2)
    other: Weights = {name: w.detach() for name, w in moved(model).items()}
    own = model.paint(PROMPTS, range(N), sampling=how)
    new = model.paint(PROMPTS, range(N), sampling=how, weights=other)
    texts = model.encode(PROMPTS)
    said = model.paint(PROMPTS, range(N), sampling=how, texts=texts)
    return own.latents, new.latents, said.latents, model.latents_of(own.pictures)


def words(model: DiffusersModel) -> Any:
    """Encode with vectors in place of a word, and take their gradient."""
    known = model.vocabulary
    vectors = tuple(table[:2].clone().requires_grad_() for table in known.tables)
    found = []
    for added in (False, True):
        text = model.encode_with([f"a {MARK} cat"], vectors, added=added)
        text.tokens.square().mean().backward()
        found.append(text.tokens)
    return found, [v.grad for v in vectors], model.log_snr


def learning(model: DiffusersModel) -> Any:
    """Take a step of each kind of fine-tune."""
    x, noise, t = drawn(model)
    text, found = model.encode(PROMPTS), []
    for method in METHODS:
        learner = model.learner(
            method,
            weights={name: w.detach() for name, w in moved(model).items()},
            rank=2,
            generator=torch.Generator().manual_seed(1),
        )
        adam = torch.optim.AdamW(learner.parameters.values(), lr=1e-3)
        loss = learner.loss(x, noise, t, text)
        loss.backward()
        adam.step()
        found.append([loss, *learner.weights().values()])
    return found


JOBS: dict[str, Job] = {
    each.__name__: each for each in (eps, attention, painting, words, learning)
}


RUNS = [
    *((name, "float32") for name in JOBS),
    *((name, "bfloat16") for name in ("eps", "painting")),
]
"""Jobs and dtypes; a fine-tune computes in float32 whatever the model does."""


def tensors(found: Any) -> Iterator[Tensor]:
    """Yield all tensors of nested lists, tuples and dictionaries."""
    if isinstance(found, Tensor):
        yield found.detach()
    elif found is not None:
        for each in found:
            yield from tensors(each)


def distance(found: Any, wanted: Any) -> float:
    """Return the largest distance of two results, as a share of the larger norm."""
    pairs = zip(tensors(found), tensors(wanted), strict=True)
    return max(
        float(
            (one.cpu().double() - two.double()).norm() / (1e-12 + two.double().norm())
        )
        for one, two in pairs
    )


def strays(found: Any) -> list[str]:
    """Return the devices of results that are not on the CPU, but for a loss."""
    return [str(t.device) for t in tensors(found) if t.device.type != "cpu" and t.dim()]


def compared(
    folder: Path, device: str, dtype: torch.dtype, name: str
) -> dict[str, Any]:
    """Return how far a device's results are from those of the CPU in float32."""
    wanted = JOBS[name](DiffusersModel.load(folder))
    found = JOBS[name](DiffusersModel.load(folder, device=device, dtype=dtype))
    return {"distance": distance(found, wanted), "strays": strays(found)}
