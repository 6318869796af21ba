"""What is known of a LoRA beside its tensors, and which adapters are none.

peft keeps it in ``adapter_config.json``, diffusers in the notes of the file itself. A
method whose change is no product of two factors is refused by its name.

Source:
    peft's ``LoraConfig`` and ``get_pattern_key``; the keys of LyCORIS.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.errors import ModelError
from unlearnlog.models.pipeline_folder import json_of
from unlearnlog.checkpoints.bounded_patterns import first_match

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.models.foreign_file import SafetensorsFile

CONFIG: Final = "adapter_config.json"
EXPORTED: Final = "unlearnlog"
"""Under which name `unlearnlog export` notes what a file is the change of."""

_LARGEST: Final = 1e9
"""No alpha is as large."""

_PEFTS: Final = "base_model.model."
_NOTED: Final = "lora_adapter_metadata"

_OTHERS: Final[Mapping[str, str]] = {
    "dora_scale": "a DoRA",
    "lora_magnitude_vector": "a DoRA",
    "hada_w": "a LoHa",
    "lokr_w": "a LoKr",
    "oft_": "an OFT",
    "boft_": "a BOFT",
    "ia3_": "an IA3",
    "lora_mid": "a LoCon with a core tensor",
    "diff": "a LyCORIS of full differences",
    "diff_b": "a LyCORIS of full differences",
}
"""How the last words of keys begin that belong to another method."""

_BASE_CHANGED: Final = ("pissa", "olora", "corda", "loftq")
"""Ways to begin a LoRA that take its first product out of the base."""


@dataclass(frozen=True)
class Adapter:
    """What is known of a LoRA beside its tensors.

    Attributes:
        said: ``r``, ``lora_alpha``, ...; with the component before it where it is only
            of one, ``unet.lora_alpha``.
        made_for: Root of the base that it is the change of, where `unlearnlog export`
            wrote it; else empty.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    made_for: str = ""

    @classmethod
    def of(cls, file: SafetensorsFile, *, component: str = "") -> Adapter:
        """Read what is noted in a file, or else in the configuration beside it.

        Args:
            file: The adapter's tensors.
            component: Whose they are; empty where only the keys tell.

        Raises:
            ModelError: It is no LoRA of this model's own weights, or peft's without
                the word of its alpha.
        """
        config = file.path.parent / CONFIG
        pefts = _is_pefts(file)
        noted = _written(file, _NOTED)
        said = json_of(config) if pefts and config.is_file() else noted
        _check_is_lora(file.path, file, said)
        if pefts and not said and not any(key.endswith(".alpha") for key in file):
            raise ModelError(
                f"nobody knows what '{file.path}' is scaled by: there is no {CONFIG} "
                "beside it and no alpha in it",
                fix=f"put the {CONFIG} that peft wrote with it into its folder",
            )
        prefix = f"{component}." if component else ""
        made_for = str(_written(file, EXPORTED).get("base", ""))
        return cls({f"{prefix}{key}": value for key, value in said.items()}, made_for)

    def __or__(self, other: Adapter) -> Adapter:
        """Put together what is known of several components."""
        made_for = self.made_for or other.made_for
        return Adapter({**self.said, **other.said}, made_for)

    def scale(self, name: str, rank: int) -> float:
        """Return what a LoRA's product is scaled by where its tensors do not say.

        Alpha over rank, with ``use_rslora`` over its root; without a word of alpha
        diffusers takes it for the rank.

        Args:
            name: Full name of the weight, ``unet.<module>.weight``.
            rank: Of its factors.

        Raises:
            ModelError: Its alpha is no finite number, or said by a pattern of no use.
        """
        component, _, module = name.removesuffix(".weight").partition(".")
        said = {
            key.removeprefix(f"{component}."): value
            for key, value in self.said.items()
            if "." not in key or key.startswith(f"{component}.")
        }
        alpha = _for_module(said.get("alpha_pattern"), module, said.get("lora_alpha"))
        if not isinstance(alpha, int | float):
            return 1.0
        if not abs(alpha) < _LARGEST:
            raise ModelError(
                f"the adapter's alpha for '{module}' is {alpha:g}"
                if isinstance(alpha, float)
                else f"the adapter's alpha for '{module}' is no number of use",
                fix="export the LoRA again with its own tool",
            )
        return float(alpha) / (math.sqrt(rank) if said.get("use_rslora") else rank)


def is_adapter(keys: Iterable[str]) -> bool:
    """Whether keys are those of an adapter, of whichever method."""
    return any("lora" in key.lower() or _other(key) for key in keys)


def _is_pefts(file: SafetensorsFile) -> bool:
    """Whether peft saved it, and so keeps what it knows of it beside it."""
    named = file.path.name == "adapter_model.safetensors"
    return named or any(_PEFTS in key for key in file)


def _written(file: SafetensorsFile, name: str) -> dict[str, Any]:
    """Return what somebody wrote under a name into the file's own notes."""
    try:
        noted = json.loads(file.metadata.get(name, "{}"))
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _other(key: str) -> str:
    """Return which method a key belongs to that makes no LoRA; empty for none."""
    words = key.removesuffix(".weight").split(".")[-2:]
    for begins, method in _OTHERS.items():
        exact = begins.startswith("diff")
        if any(w == begins if exact else w.startswith(begins) for w in words):
            return method
    return ""


def _check_is_lora(path: Path, keys: Iterable[str], said: Mapping[str, Any]) -> None:
    """Refuse by its name what is no product of two factors on this model's weights.

    Raises:
        ModelError: It is none.
    """
    method = next(filter(None, map(_other, keys)), "")
    last = {key.rpartition(".")[2]: value for key, value in said.items()}
    kind = last.get("peft_type") or "LORA"
    if kind != "LORA":
        method = f"an adapter of the kind {kind}"
    if last.get("use_dora"):
        method = "a DoRA"
    began = str(last.get("init_lora_weights", "")).casefold()
    if began.startswith(_BASE_CHANGED):
        method = f"a LoRA begun as {began}, which changes the base as well"
    if method:
        raise ModelError(
            f"'{path}' is {method}: no product of two factors on this model's weights",
            fix="merge it into the model, save the folder, and audit that",
        )


def _for_module(said: object, module: str, otherwise: object) -> object:
    """Return what patterns say of a module, as peft matches them: at the name's end.

    Raises:
        ModelError: A pattern is none, or would take too long to match.
    """
    patterns = said if isinstance(said, dict) else {}
    try:
        found = first_match([*patterns], module)
    except ValueError as error:
        raise ModelError(
            f"nobody knows what the adapter is scaled by: {error}",
            fix=f"write the names of modules into alpha_pattern of its {CONFIG}, or "
            "merge it into the model, save the folder, and audit that",
        ) from None
    return otherwise if found is None else patterns[found]
