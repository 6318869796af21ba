"""A stock pipeline beside our rules: the same parts, the same latents, two painters."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from unlearnlog.models.families import FAMILIES
from unlearnlog.models.family_rules.protocol import FamilyRules
from unlearnlog.models.flow_sampling import denoised, pictures_of
from unlearnlog.models.interface import Sampling, Text
from unlearnlog.models.model_family import ModelFamily
from unlearnlog.models.sampling import LatentBatch, generator

PROMPTS = ("a cat by picasso", "photo of a dog")
SEEDS = (3, 5)
STEPS = 3


@dataclass(frozen=True)
class PipelineParts:
    """The parts of a stock pipeline, as rules read them."""

    pipeline: Any
    side: int | None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    dtype: torch.dtype = torch.float32

    @property
    def network(self) -> Any:
        return self.pipeline.transformer

    @property
    def vae(self) -> Any:
        return self.pipeline.vae

    @property
    def scheduler(self) -> Any:
        return self.pipeline.scheduler

    @property
    def settings(self) -> dict[str, Any]:
        return dict(self.pipeline.config)

    @property
    def tokenizers(self) -> dict[str, Any]:
        parts = self.pipeline.components
        return {
            name: parts[name.replace("text_encoder", "tokenizer")]
            for name, part in parts.items()
            if name.startswith("text_encoder") and part is not None
        }

    def run(self, name: str, *given: Any, **named: Any) -> Any:
        """Call a text encoder."""
        return self.pipeline.components[name](*given, **named)


def row_of(name: str) -> tuple[ModelFamily, FamilyRules]:
    """Return a family's row of the table, and its rules."""
    row = next(family for family in FAMILIES if family.name == name)
    assert row.rules is not None
    return row, row.rules


def encoded(parts: PipelineParts, rules: FamilyRules, prompts: Sequence[str]) -> Text:
    """Encode prompts one by one, padded with unread zeros to the longest."""
    with torch.no_grad():
        texts = [rules.text(parts, prompt, parts.run) for prompt in prompts]
    return Text.joined(texts)


def noise(parts: PipelineParts, rules: FamilyRules) -> torch.Tensor:
    """Draw the starting noise of the two pictures."""
    shape = rules.latent_shape(parts)
    pairs = zip(PROMPTS, SEEDS, strict=True)
    sources = [generator(*pair, use="latent") for pair in pairs]
    return torch.stack([torch.randn(shape, generator=source) for source in sources])


def ours(
    parts: PipelineParts,
    rules: FamilyRules,
    guidance: float,
    prompts: Sequence[str] = PROMPTS,
) -> torch.Tensor:
    """Paint two prompts by the rules, uint8 ``[2, height, width, 3]``.

    The starting noise is that of the two prompts of this module.
    """
    canvas = LatentBatch(
        latents=noise(parts, rules),
        texts=encoded(parts, rules, ["", *prompts]),
        rows=torch.tensor([1, 2]),
        generators=[torch.Generator(), torch.Generator()],
    )
    with torch.inference_mode():
        latents = denoised(
            parts,
            rules,
            canvas,
            sampling=Sampling(STEPS, guidance),
            network=parts.network,
            tell=lambda _: None,
        )
        return pictures_of(parts, rules, latents, vae=parts.vae)


def stock(parts: PipelineParts, latents: torch.Tensor, **more: Any) -> torch.Tensor:
    """Paint the two prompts by the pipeline itself, uint8 ``[2, height, width, 3]``."""
    options: dict[str, Any] = {
        "num_inference_steps": STEPS,
        "height": parts.side,
        "width": parts.side,
        "generator": [torch.Generator() for _ in PROMPTS],
    }
    made = parts.pipeline(
        prompt=[*PROMPTS], latents=latents, output_type="pt", **options | more
    )
    pictures: torch.Tensor = (made.images * 255).round().to(torch.uint8)
    return pictures.permute(0, 2, 3, 1)


def apart(some: torch.Tensor, others: torch.Tensor) -> int:
    """Return the largest difference of a colour, of 255."""
    return int((some.int() - others.int()).abs().max())


def check_noising(parts: PipelineParts, rules: FamilyRules) -> None:
    """Check sigmas and velocity against the scheduler's own noising and step."""
    shape = rules.latent_shape(parts)
    sigmas = rules.sigmas(parts, shape)
    scheduler = rules.scheduler(parts, STEPS, shape)
    x0, e = torch.randn(2, *shape), torch.randn(2, *shape)
    at = scheduler.timesteps[:1]
    sigma = at / scheduler.config.num_train_timesteps

    x_t = scheduler.scale_noise(x0, at.expand(2), e)
    stepped = scheduler.step(e - x0, at[0], x_t, return_dict=False)[0]

    assert sigmas is not None
    assert len(sigmas) == scheduler.config.num_train_timesteps
    assert (sigmas.diff() > 0).all()
    assert sigmas[0] > 0
    assert (sigmas - sigma).abs().min() < 1e-3
    torch.testing.assert_close(x_t, (1 - sigma) * x0 + sigma * e)
    torch.testing.assert_close(x_t + (1 - sigma) * (e - x0), e)
    later = scheduler.sigmas[1]
    torch.testing.assert_close(stepped, (1 - later) * x0 + later * e)


def heard(parts: PipelineParts, rules: FamilyRules) -> dict[str, frozenset[str]]:
    """Return what each linear layer of the network hears of the call's arguments.

    Returns:
        ``picture``, ``time`` and ``prompt``, those whose disturbance changes the
        layer's input, by the layer's full name.
    """
    torch.manual_seed(0)
    x = torch.randn(1, *rules.latent_shape(parts))
    t = torch.tensor([500.0])
    cat, dog = (encoded(parts, rules, [prompt]) for prompt in PROMPTS)
    cat, dog = Text.joined([cat, dog])[[0]], Text.joined([cat, dog])[[1]]
    disturbed = {"picture": (x + 1, t, cat), "time": (x, t - 200, cat)}
    disturbed["prompt"] = (x, t, dog)
    before = _inputs(parts, rules, x, t, cat)
    after = {what: _inputs(parts, rules, *given) for what, given in disturbed.items()}
    return {
        f"transformer.{name}": frozenset(
            what
            for what in disturbed
            if not torch.equal(after[what][name], before[name])
        )
        for name in before
    }


def _inputs(
    parts: PipelineParts,
    rules: FamilyRules,
    x: torch.Tensor,
    t: torch.Tensor,
    text: Text,
) -> dict[str, torch.Tensor]:
    """Return the input of every linear layer in one prediction."""
    found: dict[str, torch.Tensor] = {}

    def keep(name: str) -> Callable[..., None]:
        return lambda _, given: found.__setitem__(name, given[0].detach().clone())

    hooks = [
        layer.register_forward_pre_hook(keep(name))
        for name, layer in parts.network.named_modules()
        if isinstance(layer, torch.nn.Linear)
    ]
    with torch.no_grad():
        rules.predict(parts, parts.network, x, t, text=text, guidance=1.0)
    for hook in hooks:
        hook.remove()
    return found


def prompt_only(hearing: dict[str, frozenset[str]]) -> set[str]:
    """Return the names of the weights that read nothing but the prompt."""
    return {f"{name}.weight" for name, what in hearing.items() if what == {"prompt"}}


def matched(pattern: str, hearing: dict[str, frozenset[str]]) -> set[str]:
    """Return the names of the linear layers' weights that a row's pattern matches."""
    names = {f"{name}.weight" for name in hearing}
    return {name for name in names if pattern and re.fullmatch(pattern, name)}
