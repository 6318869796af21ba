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

from unlearnlog.api.audit_methods import AuditMethods
from unlearnlog.api.change_methods import ChangeMethods
from unlearnlog.api.dry_runs import DryRuns
from unlearnlog.api.export_methods import ExportMethods
from unlearnlog.api.history_methods import HistoryMethods, Status
from unlearnlog.api.inspect_methods import InspectMethods
from unlearnlog.api.remote_methods import RemoteMethods
from unlearnlog.api.serve_methods import ServeMethods
from unlearnlog.api.trust_methods import TrustMethods, verify_folder
from unlearnlog.api.verdicts import raise_if_failed
from unlearnlog.api.without_ledger import compare, judge_images

__all__ = [
    "DryRuns",
    "Ledger",
    "Status",
    "compare",
    "judge_images",
    "raise_if_failed",
    "verify_folder",
]


class Ledger(
    ChangeMethods,
    HistoryMethods,
    InspectMethods,
    AuditMethods,
    ExportMethods,
    RemoteMethods,
    ServeMethods,
    TrustMethods,
):
    """A model's history of erasures.

    Nothing is loaded before it is needed: to read the history takes no model.

    Attributes:
        folder: Where the ledger is, or where `add` will create it.
        progress: Whether long work shows how far it is.
    """

    @property
    def dry_run(self) -> DryRuns:
        """Forecasts of the costs of `add`, `audit`, `finetune`, `attack`, `rebase`."""
        return DryRuns(self)
