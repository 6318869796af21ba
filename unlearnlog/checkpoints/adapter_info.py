"""Metadata of adapters, and the refusal of kinds that are not computed.

peft keeps it in ``adapter_config.json``, diffusers in the metadata of the file itself.
An adapter of a method that is not computed is refused with the method's name.

Source:
    peft's ``LoraConfig`` and ``get_pattern_key``; the keys of LyCORIS.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from unlearnlog.checkpoints.adapters.adapter_table import has_part
from unlearnlog.checkpoints.bounded_patterns import first_match
from unlearnlog.errors import ModelError
from unlearnlog.models.pipeline_folder import json_of

if TYPE_CHECKING:
    from pathlib import Path

    from unlearnlog.models.foreign_file import SafetensorsFile

CONFIG: Final = "adapter_config.json"
EXPORTED: Final = "unlearnlog"
"""Metadata key under which `unlearnlog export` records the base of a file."""

_LARGEST: Final = 1e9
"""Upper bound on an alpha."""

_PEFTS: Final = "base_model.model."
_NOTED: Final = "lora_adapter_metadata"

_OTHERS: Final[Mapping[str, str]] = {
    "oft_r": "an OFT of a peft before 0.15",
    "reshape_weight": "a LoRA that changes the shape of a weight",
}
"""Beginnings of the last words of keys, and the method that they belong to."""

_COMPUTED: Final = ("LORA", "LOHA", "LOKR", "OFT", "BOFT", "IA3", "VERA")
"""Kinds of peft's adapters that are computed."""

_BASE_CHANGED: Final = ("pissa", "olora", "corda", "loftq")
"""Initialisations of a LoRA that subtract its first product from the base."""


@dataclass(frozen=True)
class Adapter:
    """Metadata of a LoRA.

    Attributes:
        said: ``r``, ``lora_alpha``, ...; with a component's prefix where it holds for
            that one only, ``unet.lora_alpha``.
        made_for: Root of its base, where `unlearnlog export` wrote it; else empty.
    """

    said: Mapping[str, Any] = field(default_factory=dict)
    made_for: str = ""

    @classmethod
    def of(cls, file: SafetensorsFile, *, component: str = "") -> Adapter:
        """Read the metadata of a file, or else the configuration beside it.

        Args:
            file: The adapter's tensors.
            component: Their component; empty where the keys have it.

        Raises:
            ModelError: It is no LoRA on this model's own weights, or a file of peft
                without its alpha.
        """
        config = file.path.parent / CONFIG
        pefts = _is_pefts(file)
        noted = _written(file, _NOTED)
        fields = json_of(config) if pefts and config.is_file() else noted
        _check_is_lora(file.path, file, fields)
        if pefts and not fields and not any(key.endswith(".alpha") for key in file):
            raise ModelError(
                f"the scale of '{file.path}' is unknown: there is no {CONFIG} beside "
                "it and no alpha in it",
                fix=f"put the {CONFIG} that peft wrote with it into its folder",
            )
        prefix = f"{component}." if component else ""
        made_for = str(_written(file, EXPORTED).get("base", ""))
        return cls({f"{prefix}{key}": value for key, value in fields.items()}, made_for)

    def __or__(self, other: Adapter) -> Adapter:
        """Return the metadata of several components together."""
        made_for = self.made_for or other.made_for
        return Adapter({**self.said, **other.said}, made_for)

    def settings(self, name: str) -> dict[str, Any]:
        """Return the settings for a weight, by its full name."""
        component = name.partition(".")[0]
        return {
            key.removeprefix(f"{component}."): value
            for key, value in self.said.items()
            if "." not in key or key.startswith(f"{component}.")
        }

    def scale(self, name: str, rank: int) -> float:
        """Return the scale of a LoRA's product where its tensors have no alpha.

        Alpha over rank, with ``use_rslora`` over its root; without an alpha diffusers
        takes the rank for it.

        Args:
            name: Full name of the weight, ``unet.<module>.weight``.
            rank: Rank of its factors.

        Raises:
            ModelError: The alpha is no finite number, or its pattern is not valid.
        """
        module = name.removesuffix(".weight").partition(".")[2]
        fields = self.settings(name)
        usual = fields.get("lora_alpha", fields.get("alpha"))  # of LoHa and LoKr
        patterns = fields.get("alpha_pattern")
        alpha = _for_module(patterns, module, usual)
        if not isinstance(alpha, int | float):
            return 1.0
        if not abs(alpha) < _LARGEST:
            raise ModelError(
                f"the adapter's alpha for '{module}' is {alpha:g}"
                if isinstance(alpha, float)
                else f"the adapter's alpha for '{module}' is too large",
                fix="export the LoRA again with its own tool",
            )
        return float(alpha) / (math.sqrt(rank) if fields.get("use_rslora") else rank)


def is_adapter(keys: Iterable[str]) -> bool:
    """Return whether keys are those of an adapter of any method."""
    return any("lora" in key.lower() or has_part(key) or _other(key) for key in keys)


def _is_pefts(file: SafetensorsFile) -> bool:
    """Return whether peft saved a file, so that its metadata is beside it."""
    named = file.path.name == "adapter_model.safetensors"
    return named or any(_PEFTS in key for key in file)


def _written(file: SafetensorsFile, name: str) -> dict[str, Any]:
    """Return the JSON object under a name in the file's metadata; empty for none."""
    try:
        noted = json.loads(file.metadata.get(name, "{}"))
    except (ValueError, RecursionError):
        return {}
    return noted if isinstance(noted, dict) else {}


def _other(key: str) -> str:
    """Return the method that a key belongs to and that is not computed, or nothing."""
    words = key.removesuffix(".weight").split(".")[-2:]
    for begins, method in _OTHERS.items():
        if any(word.startswith(begins) for word in words):
            return method
    return ""


def _check_is_lora(path: Path, keys: Iterable[str], fields: Mapping[str, Any]) -> None:
    """Refuse an adapter of a method that is not computed.

    Raises:
        ModelError: It is of another method; the error names it.
    """
    method = next(filter(None, map(_other, keys)), "")
    last = {key.rpartition(".")[2]: value for key, value in fields.items()}
    kind = last.get("peft_type") or "LORA"
    if kind not in _COMPUTED:
        method = f"an adapter of the kind {kind}"
    began = str(last.get("init_lora_weights", "")).casefold()
    if began.startswith(_BASE_CHANGED):
        method = f"a LoRA begun as {began}, which changes the base as well"
    if method:
        raise ModelError(
            f"'{path}' is {method}: its change of the weights is not computed here",
            fix="merge it into the model, save the folder, and audit that",
        )


def _for_module(given: object, module: str, otherwise: object) -> object:
    """Return the value of the pattern that matches the end of a module's name.

    Raises:
        ModelError: A pattern is not valid, or would take too long to match.
    """
    patterns = given if isinstance(given, dict) else {}
    try:
        found = first_match([*patterns], module)
    except ValueError as error:
        raise ModelError(
            f"the scale of the adapter is unknown: {error}",
            fix=f"write the names of modules into alpha_pattern of its {CONFIG}, or "
            "merge it into the model, save the folder, and audit that",
        ) from None
    return otherwise if found is None else patterns[found]
