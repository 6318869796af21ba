"""The literal table of attacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from unlearnlog.audits.attack import Attack
from unlearnlog.audits.inversion import Inversion
from unlearnlog.audits.prefix import Prefix
from unlearnlog.audits.recovery import Recovery
from unlearnlog.errors import UsageError
from unlearnlog.suggest import advice

ATTACKS: Final[Mapping[str, Attack]] = {
    attack.name: attack for attack in (Inversion(), Prefix(), Recovery())
}


def attack_called(name: str) -> Attack:
    """Return an attack by its name.

    Raises:
        UsageError: There is none of that name.
    """
    if name not in ATTACKS:
        raise UsageError(f"there is no attack '{name}'", fix=advice(name, ATTACKS))
    return ATTACKS[name]
