"""The ledger on disk: the one thing that changes, and the one place that writes it.

``disk`` has the operations a file system offers, ``store`` knows which file holds
what, and ``ledger`` tells the story: append, replay, reset. Importing this package
does not import torch; reading or writing a delta does.
"""

from unlearnlog.ledger.base import BaseManifest
from unlearnlog.ledger.fsck import Damage
from unlearnlog.ledger.ledger import Ledger

__all__ = ["BaseManifest", "Damage", "Ledger"]
