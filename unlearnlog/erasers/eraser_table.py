"""The table of erasers.

Other packages add theirs under the ``unlearnlog.erasers`` entry-point group.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from importlib.metadata import entry_points
from typing import Any, Final

from unlearnlog.erasers.concept_ablation import ConceptAblation
from unlearnlog.erasers.cure import Cure
from unlearnlog.erasers.double_projection import DoubleProjection
from unlearnlog.erasers.dynamic_mask import DynamicMask
from unlearnlog.erasers.eraser import Eraser, Request
from unlearnlog.erasers.esd import Esd
from unlearnlog.erasers.forget_me_not import ForgetMeNot
from unlearnlog.erasers.hardened import Hardened
from unlearnlog.erasers.hybrid import Hybrid
from unlearnlog.erasers.mace import Mace
from unlearnlog.erasers.mim import Mim
from unlearnlog.erasers.mim_unique import MimUnique
from unlearnlog.erasers.oce import Oce
from unlearnlog.erasers.presets.preset_table import expanded
from unlearnlog.erasers.rece import Rece
from unlearnlog.erasers.restricted_gradient import RestrictedGradient
from unlearnlog.erasers.ridge import Ridge
from unlearnlog.erasers.salun import Salun
from unlearnlog.erasers.scapre import Scapre
from unlearnlog.erasers.sdd import Sdd
from unlearnlog.erasers.setting_table import GROUP, no_eraser
from unlearnlog.erasers.speed import Speed
from unlearnlog.erasers.surgun import SurgUn
from unlearnlog.erasers.uce import Uce
from unlearnlog.errors import PolicyError

__all__ = [
    "ERASERS",
    "Eraser",
    "Request",
    "eraser_called",
    "eraser_of",
    "known_erasers",
    "recorded",
    "said_again",
]

ERASERS: Final[Mapping[str, type[Eraser]]] = {
    each.name: each
    for each in (
        Mim,
        MimUnique,
        Hybrid,
        Hardened,
        Uce,
        Ridge,
        Rece,
        Mace,
        Speed,
        Oce,
        DoubleProjection,
        Cure,
        Scapre,
        Esd,
        Sdd,
        ConceptAblation,
        ForgetMeNot,
        Salun,
        DynamicMask,
        RestrictedGradient,
        SurgUn,
    )
}


def eraser_called(name: str) -> type[Eraser]:
    """Return the eraser with this registered name, ours first.

    Raises:
        PolicyError: There is none; names those that are close.
    """
    if name in ERASERS:
        return ERASERS[name]
    others = {point.name: point for point in entry_points(group=GROUP)}
    if name in others:
        return _checked(name, others[name].load())
    known = [*ERASERS, *others]
    raise no_eraser(name, known)


def eraser_of(said: Mapping[str, Any], slots: Collection[str] = ()) -> Eraser:
    """Return the eraser of a name, a preset and settings.

    Args:
        said: As in a policy's ``[eraser]``.
        slots: Whether styles or subjects are erased, for presets that differ.

    Raises:
        PolicyError: There is no such eraser, preset or setting, or a value is invalid.
    """
    kind = eraser_called(str(said.get("name", "")))
    settings = {key: value for key, value in said.items() if key != "name"}
    return kind.of(expanded(kind.name, settings, slots))


def said_again(name: str, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return an entry's record of an eraser as a policy's ``[eraser]`` of today.

    A setting that is newer than the entry has the value of the eraser's former
    behaviour.

    Raises:
        PolicyError: There is no such eraser any more.
    """
    return {"name": name, **eraser_called(name).before, **settings}


def recorded(eraser: Eraser) -> dict[str, Any]:
    """Return an eraser's settings as an entry records them.

    A setting that came later is left out where it has the value of the eraser's former
    behaviour: so the same erasure has the same record, whenever it was made.
    """
    before = eraser.before
    return {
        key: value
        for key, value in eraser.settings.items()
        if key not in before or value != before[key]
    }


def known_erasers() -> list[type[Eraser]]:
    """Return every registered eraser, ours first."""
    points = entry_points(group=GROUP)
    others = [p for p in points if p.name not in ERASERS]
    return [*ERASERS.values(), *(_checked(p.name, p.load()) for p in others)]


def _checked(name: str, found: object) -> type[Eraser]:
    if isinstance(found, type) and issubclass(found, Eraser):
        return found
    raise PolicyError(
        f"{found!r}, registered as the eraser '{name}', is no eraser",
        fix="register a class that extends unlearnlog.erasers.Eraser",
    )
