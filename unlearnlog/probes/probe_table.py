"""The table of probes that read a judge's answers."""

from __future__ import annotations

from typing import Final

from unlearnlog.probes.damage import DamageByRelation
from unlearnlog.probes.family_leakage import FamilyLeakage
from unlearnlog.probes.picture_probe import Probe
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.redirection import Redirection, TargetFloor
from unlearnlog.probes.resurgence import Resurgence
from unlearnlog.probes.retention import (
    CrossDomainRetention,
    InDomainRetention,
    LookAlikeRetention,
    NeighbourRetention,
    OtherRetention,
)
from unlearnlog.probes.unlearning import UnlearningAccuracy

PROBES: Final[tuple[Probe, ...]] = (
    UnlearningAccuracy(),
    InDomainRetention(),
    CrossDomainRetention(),
    NeighbourRetention(),
    OtherRetention(),
    LookAlikeRetention(),
    Redirection(),
    TargetFloor(),
    FamilyLeakage(),
    Presence(),
    DamageByRelation(),
    Resurgence(),
)
