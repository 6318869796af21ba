"""The state that a model was fine-tuned from, and the refusal of any other model."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Final

import torch

from unlearnlog.checkpoints.checkpoint_files import CheckpointFiles
from unlearnlog.checkpoints.checkpoint_keys import is_no_weight
from unlearnlog.checkpoints.config_diff import unlike_network, unlike_noise
from unlearnlog.checkpoints.file_kinds import listed, resembling
from unlearnlog.core.delta import Weights
from unlearnlog.core.digest import TensorRecord
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import ModelError, WrongBase
from unlearnlog.models.pipeline_folder import json_of

if TYPE_CHECKING:
    from unlearnlog.models.diffusers_model import DiffusersModel

FARTHEST: Final = 0.5
"""Norm of a change, as a share of the weights' norm, above which it is another model.

Fine-tunes move a network by some hundredths; two networks from different seeds are 1.4
apart.
"""


@dataclass(frozen=True)
class FinetuneBase:
    """The state that a model was fine-tuned from.

    Attributes:
        model: The base.
        projections: Every text projection of the state, by full name.
    """

    model: DiffusersModel
    projections: Weights

    @cached_property
    def stored(self) -> Weights:
        """The base's tensors, each read on access."""
        return self.model.folder.stored(*self.model.folder.weighed)

    @property
    def records(self) -> Mapping[str, TensorRecord]:
        """Dtype, shape and digest of the base's tensors."""
        return self.model.manifest.tensors

    @cached_property
    def shapes(self) -> dict[str, torch.Size]:
        """Shape of every tensor that is a weight."""
        return {
            name: torch.Size(record.shape)
            for name, record in self.records.items()
            if not is_no_weight(name)
        }

    def __getitem__(self, name: str) -> torch.Tensor:
        """Return a tensor of the state, in the base's dtype on disk."""
        projection = self.projections.get(name)
        return self.stored[name] if projection is None else projection


def check_complete(
    path: Path, keys: Mapping[str, str], unknown: Sequence[str], state: FinetuneBase
) -> None:
    """Refuse a component with missing or unknown tensors.

    Args:
        path: The model's path.
        keys: The key of each tensor that the base has, by full name.
        unknown: Keys of the others.
        state: The state.

    Raises:
        ModelError: A tensor is missing or unknown.
    """
    if unknown:
        like = "" if keys else resembling(unknown)
        what = f"{len(unknown)} of its tensors are none of the base's"
        raise unlike(path, f"{what}: {listed(unknown)}{like and f'; this is {like}'}")
    owners = {name.partition(".")[0] for name in keys}
    missing = [
        name
        for name in state.shapes
        if name.partition(".")[0] in owners and name not in keys
    ]
    if missing or not keys:
        n = sum(name.partition(".")[0] in owners for name in state.shapes)
        what = f"{len(missing)} of {n} tensors are missing: {listed(missing)}"
        if not keys:
            what = "no tensor in it is the base's"
        raise unlike(path, what)


def distances(new: Weights, state: FinetuneBase) -> dict[str, float]:
    """Return each component's change as a share of the norm of all its weights."""
    squares: dict[str, float] = defaultdict(float)
    for name, tensor in new.items():
        change = tensor.double() - state[name].double()
        squares[name.partition(".")[0]] += float(change.square().sum())
    return {
        component: math.sqrt(square / max(_square(component, state), 1e-300))
        for component, square in sorted(squares.items())
    }


def _square(component: str, state: FinetuneBase) -> float:
    """Return the squared norm of all weights of a component."""
    own = (name for name in state.shapes if name.partition(".")[0] == component)
    return sum(float(state[name].double().square().sum()) for name in own)


def check_descends(path: Path, moved: Mapping[str, float]) -> None:
    """Refuse a model with a component that is too far away to be a fine-tune.

    Args:
        path: The model's path.
        moved: The change of each component as a share of the norm of its weights.

    Raises:
        WrongBase: It was not fine-tuned from this model.
    """
    far = {name: share for name, share in moved.items() if not share <= FARTHEST}
    if far:
        shares = ", ".join(f"its {name} is {share:.2f}" for name, share in far.items())
        raise WrongBase(
            f"'{path}' was not made of this model: {shares} of the weights' own norm "
            f"away; a fine-tune is below {FARTHEST:g}",
            fix="audit it with the ledger of the model that it was made of",
        )


def check_configs(path: Path, found: CheckpointFiles, model: DiffusersModel) -> None:
    """Refuse a model with settings that change the pictures of equal weights.

    Raises:
        ModelError: A setting is another one than the base's.
    """
    if found.predicts and found.predicts != model.predicts:
        raise unlike(
            path, f"it predicts '{found.predicts}', the base '{model.predicts}'"
        )
    ours = {**model.folder.configs, "scheduler": model.folder.scheduler}
    scheduler = expanded(path) / "scheduler"
    for name, folder in {**found.folders, "scheduler": scheduler}.items():
        of_noise = name == "scheduler"
        config = folder / ("scheduler_config.json" if of_noise else "config.json")
        if config.is_file():
            compared = unlike_noise if of_noise else unlike_network
            if differs := compared(json_of(config), ours.get(name, {})):
                raise ModelError(
                    f"'{path}' is not of the ledger's model: in its {name}'s "
                    f"{config.name} {differs}",
                    fix="audit it with a ledger of a model that is built like it; if "
                    "it makes no difference, remove that file",
                )


def unlike(path: Path, what: str) -> ModelError:
    """Return the error for files that are not of the base's model."""
    return ModelError(
        f"'{path}' is not of the ledger's model: {what}",
        fix="give a complete fine-tune of this model: a folder that holds all of its "
        "denoising network, or a LoRA",
    )
