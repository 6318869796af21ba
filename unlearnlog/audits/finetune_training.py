"""Fine-tuning as diffusers' training scripts do it, stage by stage.

The loss is theirs: the model's own prediction at uniform timesteps, AdamW, gradients
clipped to a norm of 1, and one caption in ten left empty so that guidance keeps
working. Every step draws from a generator of its own, so a fine-tune that resumes after
a stop takes exactly the same steps.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

import torch
from torch import Tensor

from unlearnlog.core.digest import canonical_json
from unlearnlog.errors import TrainingError, UsageError
from unlearnlog.models.interface import METHODS

if TYPE_CHECKING:
    from unlearnlog.audits.dataset import FinetuneDataset
    from unlearnlog.core.delta import Weights
    from unlearnlog.core.progress import Progress
    from unlearnlog.core.work_cache import TensorCache
    from unlearnlog.models.interface import Method, Text, Trainer, Tunable

LOOKS: Final = (0, 10, 25, 50, 100, 200, 350, 500)
"""Steps after which a fine-tune is evaluated."""

RATES: Final[Mapping[str, float]] = {"full": 1e-4, "attention": 1e-4, "lora": 1e-3}
"""Step sizes of AdamW; how that of a LoRA was chosen is in DECISIONS.md."""

_MOMENTS: Final = ("exp_avg", "exp_avg_sq")

_ROOM: Final = 2**28
"""Bytes of the largest stage that is cached; with a larger one a fine-tune does not
resume: eight stages of a whole Stable Diffusion would take 30 GB."""


@dataclass(frozen=True)
class FinetuneSettings:
    """The settings of a fine-tune.

    Attributes:
        method: The weights that are trained: all, the attention's, or a LoRA.
        steps: Number of steps.
        seed: Seed of all random numbers.
        batch: Pictures a step, drawn with replacement.
        rate: Step size of AdamW; 0 for the method's own, see `RATES`.
        decay: Weight decay.
        dropout: Share of captions that are left empty.
        clip: Largest norm of a gradient.
        rank: Rank of a LoRA.
        looking: Steps after which it is evaluated, beside the first and the last.

    Raises:
        UsageError: A setting is invalid.
    """

    method: Method = "full"
    steps: int = LOOKS[-1]
    seed: int = 0
    batch: int = 8
    rate: float = 0.0
    decay: float = 0.01
    dropout: float = 0.1
    clip: float = 1.0
    rank: int = 8
    looking: tuple[int, ...] = LOOKS

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise UsageError(
                f"there is no method '{self.method}' of fine-tuning",
                fix=f"known: {', '.join(METHODS)}",
            )
        is_size = 0 <= self.rate < math.inf
        if min(self.steps, self.batch, self.rank) < 1 or not is_size:
            raise UsageError(
                f"{self.steps} steps of {self.batch} pictures at rate {self.rate} with "
                f"rank {self.rank} are no fine-tune",
                fix="give at least 1 step, 1 picture and rank 1",
            )

    @property
    def looks(self) -> tuple[int, ...]:
        """Steps after which it is evaluated, step 0 and the last one included."""
        between = {step for step in self.looking if 0 < step < self.steps}
        return tuple(sorted({0, *between, self.steps}))

    @property
    def step_size(self) -> float:
        """Step size of AdamW."""
        return self.rate or RATES[self.method]


@dataclass(frozen=True, eq=False)
class Start:
    """The weights that a fine-tune begins with.

    Attributes:
        model: The base; never changed.
        weights: Tensors by full name that replace the base's own.
        digest: Digest of the two.
    """

    model: Tunable
    weights: Weights
    digest: str

    def learner(self, training: FinetuneSettings) -> Trainer:
        """Return the trainer before its first step, the same in every call."""
        return self.model.learner(
            training.method,
            weights=self.weights,
            rank=training.rank,
            generator=source_of(training.seed, "adapter"),
        )


@dataclass(frozen=True, eq=False)
class TrainingStage:
    """A fine-tune after some steps.

    Attributes:
        step: Number of steps.
        weights: Every tensor that may have changed, by full name; at step 0 none.
        loss: Mean loss since the stage before; None at step 0, or where the stage
            comes from the cache.
        is_end: Whether it is the first or the last one.
    """

    step: int
    weights: Weights
    loss: float | None
    is_end: bool = False


@dataclass(frozen=True, eq=False)
class Batch:
    """The data of one step.

    Attributes:
        latents: Scaled as the UNet's inputs, ``[b, c, h, w]``.
        noise: Unit normal, ``[b, c, h, w]``.
        t: Timesteps, int64 ``[b]``.
        text: Encoded captions.
    """

    latents: Tensor
    noise: Tensor
    t: Tensor
    text: Text

    def loss(self, learner: Trainer) -> Tensor:
        """Return a trainer's loss on the batch."""
        return learner.loss(self.latents, self.noise, self.t, self.text)


@dataclass(frozen=True, eq=False)
class EncodedDataset:
    """A data set as latents and encoded captions.

    Attributes:
        latents: One a picture, ``[n, c, h, w]``.
        text: The empty caption and each different one, encoded.
        rows: Index of each picture's caption in ``text``, int64 ``[n]``.
        n_levels: Number of noise levels.
    """

    latents: Tensor
    text: Text
    rows: Tensor
    n_levels: int

    @classmethod
    def of(
        cls, model: Tunable, latents: Tensor, captions: Sequence[str]
    ) -> EncodedDataset:
        """Return the data set of latents and captions."""
        distinct = ["", *sorted({*captions} - {""})]
        places = {caption: i for i, caption in enumerate(distinct)}
        rows = torch.tensor([places[caption] for caption in captions])
        return cls(latents, model.encode(distinct), rows, model.n_steps_trained)

    def batch(self, source: torch.Generator, *, n: int, dropout: float) -> Batch:
        """Return ``n`` pictures with replacement, noise, levels, and captions."""
        chosen = torch.randint(len(self.latents), (n,), generator=source)
        t = torch.randint(self.n_levels, (n,), generator=source)
        latents = self.latents[chosen]
        noise = torch.randn(latents.shape, generator=source)
        empty = torch.rand(n, generator=source) < dropout
        rows = torch.where(empty, 0, self.rows[chosen])
        return Batch(latents, noise, t, self.text[rows])


def fine_tuned(
    start: Start,
    lesson: FinetuneDataset,
    *,
    training: FinetuneSettings,
    shelf: TensorCache,
    watch: Progress,
) -> Iterator[TrainingStage]:
    """Fine-tune, and yield the weights at each step that is evaluated.

    Args:
        start: The model and the weights that it begins with.
        lesson: The data set.
        training: The settings.
        shelf: Cache of stages, so that a fine-tune that was stopped resumes.
        watch: Progress of the work.

    Raises:
        TrainingError: A loss is not finite.
    """
    model, learner = start.model, start.learner(training)
    kept = _Kept(shelf, [start.digest, lesson.digest], training)
    parameters = learner.parameters
    adam = torch.optim.AdamW(
        parameters.values(),
        lr=training.step_size,
        weight_decay=training.decay,
        fused=True,  # one pass over the numbers, where the plain one takes a dozen
    )
    yield TrainingStage(0, {}, None, is_end=True)
    looks = [step for step in training.looks if step]
    begin = kept.last_of(looks, learner, adam)
    for step in (step for step in looks if step <= begin):
        kept.restore(step, learner)
        yield TrainingStage(
            step, learner.weights(), None, is_end=step == training.steps
        )
    watch.stage("fine-tuning", training.steps - begin)
    if begin < training.steps:
        data = EncodedDataset.of(
            model, model.latents_of(lesson.pictures), lesson.captions
        )
        losses: list[float] = []
        for step in range(begin, training.steps):
            losses.append(_stepped(learner, adam, data, training, step))
            watch.advance(1, {"loss": losses[-1]})
            if step + 1 in looks:
                kept.put(step + 1, learner, adam)
                mean = sum(losses) / len(losses)
                is_end = step + 1 == training.steps
                yield TrainingStage(step + 1, learner.weights(), mean, is_end=is_end)
                losses = []


def source_of(seed: int, use: object) -> torch.Generator:
    """Return a generator that depends on the seed and the use of its numbers."""
    key = hashlib.sha256(f"fine-tune:{seed}:{use}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(key[:8], "little", signed=True))


def _stepped(
    learner: Trainer,
    adam: torch.optim.AdamW,
    data: EncodedDataset,
    training: FinetuneSettings,
    step: int,
) -> float:
    """Take one step, and return the loss before it."""
    source = source_of(training.seed, step)
    batch = data.batch(source, n=training.batch, dropout=training.dropout)
    adam.zero_grad()
    loss = batch.loss(learner)
    if not math.isfinite(float(loss.detach())):
        raise TrainingError(
            f"the loss of the fine-tune is {float(loss.detach())} after {step} steps",
            fix=f"lower its rate, now {training.step_size}",
        )
    loss.backward()
    torch.nn.utils.clip_grad_norm_(learner.parameters.values(), training.clip)
    adam.step()
    return float(loss.detach())


class _Kept:
    """Cached stages: parameters at each evaluation, the optimizer at the last."""

    def __init__(
        self, shelf: TensorCache, about: list[str], training: FinetuneSettings
    ) -> None:
        settings = {**asdict(training), "steps": 0, "looking": 0, "by": "fused AdamW"}
        how = canonical_json([about, {**settings, "rate": training.step_size}]).decode()
        self._shelf, self._key = shelf, f"fine-tune {how}"

    def last_of(
        self, looks: Sequence[int], learner: Trainer, adam: torch.optim.AdamW
    ) -> int:
        """Return the last evaluated step, if it is cached with all before it; else 0.

        The trainer and its optimizer are restored to that step.
        """
        moments = self._shelf.get(f"{self._key} moments")
        if moments is None or moments.shape[-1] != _size(learner) + 1:
            return 0
        step = int(moments[0, -1])
        before = [each for each in looks if each <= step]
        if step not in looks or not all(self._has(each, learner) for each in before):
            return 0
        self.restore(step, learner)
        rows = zip(_MOMENTS, moments[:, :-1], strict=True)
        split = {name: _split(row, learner.parameters) for name, row in rows}
        for name, parameter in learner.parameters.items():
            adam.state[parameter] = {
                "step": torch.tensor(float(step), device=parameter.device),
                **{moment: split[moment][name] for moment in _MOMENTS},
            }
        return step

    def restore(self, step: int, learner: Trainer) -> None:
        """Restore a trainer's parameters after a step from the cache."""
        flat = self._shelf.get(f"{self._key} {step}")
        assert flat is not None
        with torch.no_grad():
            for name, numbers in _split(flat, learner.parameters).items():
                learner.parameters[name].copy_(numbers)

    def _has(self, step: int, learner: Trainer) -> bool:
        flat = self._shelf.get(f"{self._key} {step}")
        return flat is not None and flat.numel() == _size(learner)

    def put(self, step: int, learner: Trainer, adam: torch.optim.AdamW) -> None:
        """Cache the parameters, and the optimizer's moments in place of older ones."""
        parameters = learner.parameters.values()
        learned = _flat(parameters)
        if learned.nbytes > _ROOM:
            return
        self._shelf.put(f"{self._key} {step}", learned)
        last = torch.tensor([float(step)])
        rows = [(*(adam.state[p][m] for p in parameters), last) for m in _MOMENTS]
        self._shelf.put(f"{self._key} moments", torch.stack([_flat(r) for r in rows]))


def _size(learner: Trainer) -> int:
    return sum(p.numel() for p in learner.parameters.values())


def _flat(tensors: Iterable[Tensor]) -> Tensor:
    return torch.cat([tensor.detach().flatten().cpu() for tensor in tensors])


def _split(flat: Tensor, like: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return one long row split into tensors of these shapes and memory layouts.

    A fused optimizer reads a parameter and its moments in the order of memory.
    """
    pieces = flat.split([tensor.numel() for tensor in like.values()])
    return {
        name: torch.empty_like(tensor).copy_(piece.reshape(tensor.shape))
        for piece, (name, tensor) in zip(pieces, like.items(), strict=True)
    }
