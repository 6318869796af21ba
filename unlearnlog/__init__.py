"""git for forgetting: a ledger of what a text-to-image model was made to forget.

Each entry erases a concept, says what the erasure did to everything else, and can
be taken back to the bit. Nothing heavy is imported here: ``import unlearnlog``
costs no torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.api import Ledger

__version__ = "0.1.0"
__all__ = ["Ledger", "__version__"]


def __getattr__(name: str) -> object:
    """Import the ledger when somebody asks for it."""
    if name == "Ledger":
        from unlearnlog.api import Ledger

        return Ledger
    message = f"module 'unlearnlog' has no attribute '{name}'"
    raise AttributeError(message)
