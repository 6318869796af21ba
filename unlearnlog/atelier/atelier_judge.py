"""The judge of the bundled model: a small classifier of styles and subjects.

A residual network with two heads, trained on rendered pictures only and never on those
of a model. Each head has one answer more than it has names: *reject*, for a picture
that shows none of them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import Tensor, nn

from unlearnlog.core.delta import state_digest
from unlearnlog.core.digest import canonical_json, digest_of
from unlearnlog.core.probe_case import Answer
from unlearnlog.models.interface import Painted


class JudgeNet(nn.Module):
    """A convolutional trunk with two linear heads: pictures to logits."""

    def __init__(self, n_styles: int, n_subjects: int, width: int = 32) -> None:
        """Make heads for a number of names, the reject answer included."""
        super().__init__()
        widths = (width, 2 * width, 3 * width, 4 * width)
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.stages = nn.ModuleList()
        before = width
        for after in widths:
            self.stages.append(_Stage(before, after))
            before = after
        self.style = nn.Linear(2 * before, n_styles)
        self.subject = nn.Linear(2 * before, n_subjects)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """Return the feature maps of every stage for pictures in ``[0, 1]``.

        Args:
            pictures: Shape ``[b, 3, 64, 64]``.
        """
        maps, hidden = [], self.stem(2 * pictures - 1)
        for stage in self.stages:
            hidden = stage(hidden)
            maps.append(hidden)
        return maps

    def pooled(self, pictures: Tensor) -> Tensor:
        """Return one feature vector a picture, shape ``[b, 8 * width]``."""
        last = self.features(pictures)[-1]
        return torch.cat([last.mean((2, 3)), last.amax((2, 3))], 1)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits: styles ``[b, n_styles]``, subjects ``[b, n_subjects]``."""
        pooled = self.pooled(pictures)
        return self.style(pooled), self.subject(pooled)


class _Stage(nn.Module):
    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(before, after, 3, stride=2, padding=1)
        self.norm = nn.GroupNorm(8, after)
        self.inner = nn.Conv2d(after, after, 3, padding=1)
        self.inner_norm = nn.GroupNorm(8, after)

    def forward(self, hidden: Tensor) -> Tensor:
        hidden = nn.functional.silu(self.norm(self.down(hidden)))
        shift = nn.functional.silu(self.inner_norm(self.inner(hidden)))
        return hidden + shift


@dataclass(frozen=True)
class AtelierJudge:
    """A trained network with the names of its answers.

    Attributes:
        net: The network.
        styles: Name of each answer on the style.
        subjects: Name of each answer on the subject.
        name: The name that an entry records: that of the bundled world it knows.
    """

    net: JudgeNet
    styles: tuple[str, ...]
    subjects: tuple[str, ...]
    name: str = "atelier"

    @classmethod
    def load(cls, folder: Path, name: str = "atelier") -> AtelierJudge:
        """Load ``judge.safetensors`` and ``judge.json`` from ``folder``."""
        names = json.loads((folder / "judge.json").read_text(encoding="utf-8"))
        styles, subjects = tuple(names["styles"]), tuple(names["subjects"])
        net = JudgeNet(len(styles), len(subjects), names["width"])
        weights = load_file(folder / "judge.safetensors")
        net.load_state_dict({name: w.float() for name, w in weights.items()})
        net.eval().requires_grad_(requires_grad=False)
        return cls(net, styles, subjects, name)

    @property
    def identity(self) -> str:
        """The name and the digest of the weights and of the answers' names."""
        names = digest_of(canonical_json([self.styles, self.subjects]))
        return f"{self.name} {state_digest(self.net.state_dict(), names)}"

    def judged(self, painted: Painted) -> list[Answer]:
        """Return the answer on each picture."""
        return self.of_pictures(painted.pictures)

    def of_pictures(self, pictures: Tensor) -> list[Answer]:
        """Return the answers on pictures ``[n, 64, 64, 3]``, uint8, 0 to 255."""
        answers: list[Answer] = []
        with torch.inference_mode():
            for part in _batches(pictures):
                style, subject = self.net(part)
                pairs = zip(subject.argmax(1), style.argmax(1), strict=True)
                answers += [
                    Answer(self.subjects[one], self.styles[other])
                    for one, other in pairs
                ]
        return answers

    def features(self, painted: Painted) -> Tensor:
        """Return the features below the two heads, ``[n, 8 * width]``."""
        with torch.inference_mode():
            parts = [self.net.pooled(part) for part in _batches(painted.pictures)]
        return torch.cat(parts)


def _batches(pictures: Tensor) -> Iterator[Tensor]:
    """Yield pictures ``[n, h, w, 3]`` as floats in ``[0, 1]``, ``[b, 3, h, w]``."""
    for part in pictures.split(256):
        yield part.permute(0, 3, 1, 2).float() / 255


def as_tensor(pictures: NDArray[np.uint8]) -> Tensor:
    """Return pictures ``[n, h, w, 3]`` as floats in ``[0, 1]``, ``[n, 3, h, w]``."""
    return torch.from_numpy(np.array(pictures)).permute(0, 3, 1, 2).float() / 255
