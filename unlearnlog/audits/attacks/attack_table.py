"""The table of attacks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from unlearnlog.audits.attacks.attack_search import Attack
from unlearnlog.audits.attacks.inversion import Inversion
from unlearnlog.audits.attacks.prefix import Prefix
from unlearnlog.audits.attacks.recovery import Recovery
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import UsageError

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
