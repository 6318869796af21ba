"""Training runs: a schedule, a moving average, resumable steps."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch
from rich.progress import Progress
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


def half_precision() -> AbstractContextManager[object]:
    """Return a context of bfloat16 where the processor has it; elsewhere it is slower.

    Weights are float32 either way.
    """
    if torch.cpu.get_capabilities().get("avx512_bf16"):
        return torch.autocast("cpu", dtype=torch.bfloat16)
    return nullcontext()


class Run:
    """A training run that can be stopped at any step and resumed.

    The folder holds the last checkpoint, which a new run resumes from. Tensors are
    stored as safetensors, never as a pickle.
    """

    def __init__(
        self, folder: Path, modules: dict[str, nn.Module], rate: float
    ) -> None:
        """Resume from ``folder`` if it holds a checkpoint."""
        folder.mkdir(parents=True, exist_ok=True)
        torch.set_flush_denormal(True)
        self._path = folder / "checkpoint.safetensors"
        self._modules = nn.ModuleDict(modules)
        self._rate = rate
        self._named = dict(self._modules.named_parameters())
        self.optimiser = torch.optim.AdamW(
            self._named.values(),
            lr=rate,
            betas=(0.9, 0.99),
            weight_decay=0.01,
            fused=True,
        )
        self.average = {n: p.detach().clone() for n, p in self._named.items()}
        self.step = 0
        if self._path.exists():
            self._resume()

    def steps(
        self, until: int, *, save_every: int, note: Callable[[int], str]
    ) -> Iterator[int]:
        """Yield step numbers up to ``until``; call :meth:`descend` in each."""
        with Progress() as progress:
            task = progress.add_task("training", total=until, completed=self.step)
            while self.step < until:
                self._set_rate(until)
                yield self.step
                self.step += 1
                progress.advance(task)
                if self.step % save_every == 0 or self.step == until:
                    self.save()
                    progress.console.print(f"step {self.step}: {note(self.step)}")

    def descend(self, loss: Tensor) -> None:
        """Take one optimiser step and update the moving average."""
        self.optimiser.zero_grad(set_to_none=True)
        loss.backward()
        self.optimiser.step()
        decay = min(0.999, (1 + self.step) / (10 + self.step))
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.values()),
                [p.detach() for p in self._named.values()],
                1 - decay,
            )

    def averaged(self, module: str) -> dict[str, Tensor]:
        """Return the moving average of one module's parameters."""
        prefix = f"{module}."
        return {
            n.removeprefix(prefix): v
            for n, v in self.average.items()
            if n.startswith(prefix)
        }

    def save(self) -> None:
        """Write a checkpoint that :class:`Run` resumes from."""
        tensors = {"step": torch.tensor(self.step)}
        for name, parameter in self._named.items():
            tensors[f"now.{name}"] = parameter.detach()
            tensors[f"average.{name}"] = self.average[name]
            for key, value in self.optimiser.state.get(parameter, {}).items():
                tensors[f"optimiser.{key}.{name}"] = value
        partial = self._path.with_suffix(".partial")
        save_file({n: t.contiguous() for n, t in tensors.items()}, partial)
        partial.replace(self._path)

    def _resume(self) -> None:
        tensors = load_file(self._path)
        self.step = int(tensors["step"])
        with torch.no_grad():
            for name, parameter in self._named.items():
                parameter.copy_(tensors[f"now.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
                self.optimiser.state[parameter] = {
                    key: tensors[f"optimiser.{key}.{name}"]
                    for key in ("step", "exp_avg", "exp_avg_sq")
                }

    def _set_rate(self, until: int) -> None:
        warm = min(1.0, (self.step + 1) / 200)
        cosine = 0.5 * (1 + math.cos(math.pi * self.step / until))
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate * warm * (0.02 + 0.98 * cosine)
