"""The probes, one question each, and the literal table of those that judge pictures."""

from __future__ import annotations

from typing import Final

from unlearnlog.probes.landing import Floor, Landing
from unlearnlog.probes.presence import Presence
from unlearnlog.probes.probe import Probe
from unlearnlog.probes.retention import CrossDomainRetention, InDomainRetention
from unlearnlog.probes.unlearning import UnlearningAccuracy

PROBES: Final[tuple[Probe, ...]] = (
    UnlearningAccuracy(),
    InDomainRetention(),
    CrossDomainRetention(),
    Presence(),
    Landing(),
    Floor(),
)
