"""Costs of commands, found by running them on a model that only counts.

Example::

    ledger.dry_run.add("Picasso").seconds
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Unpack

if TYPE_CHECKING:
    from unlearnlog.api import Ledger
    from unlearnlog.api.audit_methods import HowToTrain
    from unlearnlog.api.opened import Folder
    from unlearnlog.commands.forecast import CostForecast
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.progress import Progress
    from unlearnlog.policy import Policy


class DryRuns:
    """Forecasts of costly commands: a method for each, with the same parameters.

    Each returns the pictures, predictions and training steps with the seconds they
    would take, and the peak memory. A few of each are timed; nothing is written.
    """

    def __init__(self, ledger: Ledger, watch: Progress | None = None) -> None:
        """Forecast commands of a ledger.

        Args:
            ledger: The ledger.
            watch: Receives the progress of the work; None for the ledger's own display.
        """
        self._ledger, self._watch = ledger, watch

    def add(
        self, *concepts: str | Concept, policy: str | Policy = "", seed: int = 0
    ) -> CostForecast:
        """Forecast `Ledger.add`."""
        from unlearnlog.commands.dry_run import of_add

        ledger = self._ledger
        request = ledger._order(concepts, policy, seed=seed, accept_undecided=False)
        with self._shown() as shown:
            return of_add(ledger.place, replace(request, watch=shown))

    def audit(
        self,
        model: Folder,
        rev: str = "HEAD",
        *,
        embeddings: Sequence[Folder] = (),
        policy: str | Policy = "",
        ema: bool = False,
    ) -> CostForecast:
        """Forecast `Ledger.audit`."""
        from unlearnlog.commands.dry_run import of_audit

        request = self._ledger._audit_request(
            model, rev, embeddings=embeddings, policy=policy, ema=ema
        )
        with self._shown() as shown:
            return of_audit(self._ledger.place, replace(request, watch=shown))

    def finetune(
        self,
        data: Folder,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        policy: str | Policy = "",
        **training: Unpack[HowToTrain],
    ) -> CostForecast:
        """Forecast `Ledger.finetune`."""
        from unlearnlog.commands.dry_run import of_finetune

        ledger = self._ledger
        request = ledger._finetune_request(data, rev, concepts, policy, **training)
        with self._shown() as shown:
            return of_finetune(ledger.place, replace(request, watch=shown))

    def attack(
        self,
        rev: str = "HEAD",
        *,
        concepts: Sequence[str] = (),
        attacks: Sequence[str] = (),
        budget: str = "small",
        twin: Folder | None = None,
        policy: str | Policy = "",
    ) -> CostForecast:
        """Forecast `Ledger.attack`."""
        from unlearnlog.commands.dry_run import of_attack

        request = self._ledger._attack_request(
            *(rev, concepts, attacks, policy), budget=budget, twin=twin
        )
        with self._shown() as shown:
            return of_attack(self._ledger.place, replace(request, watch=shown))

    def rebase(
        self,
        onto: Folder,
        folder: Folder,
        rev: str = "HEAD",
        *,
        policy: str | Policy = "",
        ema: bool = False,
    ) -> CostForecast:
        """Forecast `Ledger.rebase`."""
        from unlearnlog.commands.dry_run import of_rebase

        ledger = self._ledger
        request = ledger._rebase_request(onto, folder, rev, policy=policy, ema=ema)
        with self._shown() as shown:
            return of_rebase(ledger.place, replace(request, watch=shown))

    @contextmanager
    def _shown(self) -> Iterator[Progress]:
        """Yield the receiver of progress."""
        with self._ledger._watching(self._watch) as shown:
            yield shown
