"""The ledger as a Python object, for scripts and notebooks.

Every command of the command line is a method of the same word; ``import`` is
`import_`, because Python keeps that word for itself.

Example::

    from unlearnlog import Ledger

    ledger = Ledger.init("my-ledger")
    ledger.add("Picasso")
    ledger.checkout("HEAD", "without-picasso")
"""

from __future__ import annotations

from unlearnlog.api.auditing import Auditing
from unlearnlog.api.erasing import Erasing
from unlearnlog.api.giving import Giving
from unlearnlog.api.history import History, Status
from unlearnlog.api.looking import Looking

__all__ = ["Ledger", "Status"]


class Ledger(Erasing, History, Looking, Auditing, Giving):
    """A model's history of erasures.

    Nothing is loaded before it is needed: to read the history takes no model.

    Attributes:
        folder: Where the ledger is, or where `add` will create it.
        progress: Whether long work shows how far it is.
    """
