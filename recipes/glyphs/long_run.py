"""A training run of many hours: it can be stopped, resumed and judged at any time.

Matrices are trained with Muon and the rest with AdamW. The rates stay what they are
until a cool-down is asked for, so a run has no length that must be known beforehand;
the moving average spans about the last tenth of the steps.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

WARM: Final = 150
SPAN: Final = 7.0
"""The exponent of the average: larger ones forget sooner."""

SAVED_EVERY: Final = 600.0
"""Seconds between two checkpoints."""


@dataclass(frozen=True)
class Rates:
    """Learning rates.

    Attributes:
        matrices: Of the matrices that Muon trains.
        rest: Of all other parameters of the main network.
        slow: Of the modules that start trained.
    """

    matrices: float
    rest: float
    slow: float


class LongRun:
    """Modules, their optimisers and their average, as one resumable whole."""

    def __init__(
        self, folder: Path, main: nn.Module, slow: nn.Module, rates: Rates
    ) -> None:
        """Resume from ``folder`` if it holds a checkpoint.

        Args:
            folder: Folder of the checkpoint and of the log.
            main: The network that starts untrained; matrices of its blocks go to Muon.
            slow: Networks that start trained.
            rates: The learning rates.
        """
        folder.mkdir(parents=True, exist_ok=True)
        torch.set_flush_denormal(True)
        self.folder = folder
        self.modules = nn.ModuleDict({"main": main, "slow": slow})
        self._named = dict(self.modules.named_parameters())
        matrices = {n for n, p in self._named.items() if _is_matrix(n, p)}
        rest = [n for n in self._named if n not in matrices]
        groups = [
            {"params": [self._named[n] for n in rest if n.startswith(place)], "lr": r}
            for place, r in (("main.", rates.rest), ("slow.", rates.slow))
        ]
        self._optimisers: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(
                [p for n, p in self._named.items() if n in matrices],
                lr=rates.matrices,
                weight_decay=0.01,
                adjust_lr_fn="match_rms_adamw",
            ),
            torch.optim.AdamW(groups, betas=(0.9, 0.98), weight_decay=0.01, fused=True),
        )
        self._full = [[g["lr"] for g in o.param_groups] for o in self._optimisers]
        self.average = {n: p.detach().clone() for n, p in self._named.items()}
        self.step = 0
        self.cooled = 0
        self._cool = 0
        self._saved = time.monotonic()
        if self._path.exists():
            self._resume()

    @property
    def _path(self) -> Path:
        return self.folder / "checkpoint.safetensors"

    def steps(self, cool: int = 0) -> Iterator[int]:
        """Yield step numbers; call :meth:`descend` once in each.

        Args:
            cool: Number of steps over which the rates sink to zero, and after which
                the run ends; 0 to go on at full rates without an end.
        """
        self._cool = cool
        while not cool or self.cooled < cool:
            share = 1 - self.cooled / cool if cool else 1.0
            self._set_rates(min(1.0, (self.step + 1) / WARM) * share)
            yield self.step
            if time.monotonic() - self._saved > SAVED_EVERY:
                self.save()

    def descend(self, loss: Tensor) -> None:
        """Take one step of both optimisers and update the average.

        A step whose gradient is no number changes nothing: one of them in a night
        would spoil the rest of it.
        """
        loss.backward()
        norm = nn.utils.clip_grad_norm_(self._named.values(), 1.0)
        for optimiser in self._optimisers:
            if norm.isfinite():
                optimiser.step()
            optimiser.zero_grad(set_to_none=True)
        keep = (1 - 1 / (self.step + 1)) ** (SPAN + 1)
        with torch.no_grad():
            torch._foreach_lerp_(
                list(self.average.values()),
                [p.detach() for p in self._named.values()],
                1 - keep,
            )
        self.step += 1
        self.cooled += 1 if self._cool else 0

    def averaged(self, prefix: str) -> dict[str, Tensor]:
        """Return the average of the parameters below ``prefix``."""
        return {
            n.removeprefix(prefix): v
            for n, v in self.average.items()
            if n.startswith(prefix)
        }

    def log(self, row: Mapping[str, object]) -> None:
        """Append a row, with step and time, to the log."""
        line = {"step": self.step, "clock": time.strftime("%d %H:%M:%S"), **row}
        with (self.folder / "log.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")

    def save(self) -> None:
        """Write the checkpoint, in place of the last one, in one rename."""
        tensors = {"step": torch.tensor(self.step), "cooled": torch.tensor(self.cooled)}
        for name, parameter in self._named.items():
            tensors[f"now.{name}"] = parameter.detach()
            tensors[f"average.{name}"] = self.average[name]
            for optimiser in self._optimisers:
                state = optimiser.state.get(parameter, {})
                for key, value in state.items():
                    tensors[f"optimiser.{key}.{name}"] = value
        partial = self._path.with_suffix(".partial")
        save_file({n: t.contiguous() for n, t in tensors.items()}, partial)
        partial.replace(self._path)
        self._saved = time.monotonic()

    def _resume(self) -> None:
        tensors = load_file(self._path)
        self.step, self.cooled = int(tensors["step"]), int(tensors["cooled"])
        owners = {
            name: optimiser
            for optimiser in self._optimisers
            for group in optimiser.param_groups
            for name, p in self._named.items()
            if any(p is each for each in group["params"])
        }
        with torch.no_grad():
            for name, parameter in self._named.items():
                parameter.copy_(tensors[f"now.{name}"])
                self.average[name].copy_(tensors[f"average.{name}"])
        for key, value in tensors.items():
            if key.startswith("optimiser."):
                _, part, name = key.split(".", 2)
                owners[name].state[self._named[name]][part] = value

    def _set_rates(self, share: float) -> None:
        for optimiser, full in zip(self._optimisers, self._full, strict=True):
            for group, rate in zip(optimiser.param_groups, full, strict=True):
                group["lr"] = rate * share


def _is_matrix(name: str, parameter: nn.Parameter) -> bool:
    """Return whether Muon trains a parameter: attention and feed-forward matrices."""
    inside = name.startswith("main.transformer_blocks.") and parameter.ndim == 2
    return inside and ".norm" not in name
