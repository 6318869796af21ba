"""The probes, one question each, and the literal table of those that judge pictures."""

from __future__ import annotations

from typing import Final

from unlearnlog.probes.damage import Damage
from unlearnlog.probes.kinship import Kinship
from unlearnlog.probes.landing import Floor, Landing
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.probe import Probe
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
    Landing(),
    Floor(),
    Kinship(),
    Presence(),
    Damage(),
    Resurgence(),
)
