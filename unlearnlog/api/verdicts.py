"""Verdicts of audits, fine-tunes and attacks as exceptions, for scripts that stop."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unlearnlog.audits.finetune_course import Finetuned
    from unlearnlog.commands.attack import Attacked
    from unlearnlog.commands.audit import Audited
    from unlearnlog.commands.rebase import Rebased


def raise_if_failed(
    done: Audited | Attacked | Rebased | Finetuned, *, accept_undecided: bool = False
) -> None:
    """Raise the error of a verdict that did not pass.

    Args:
        done: The result of `Ledger.audit`, `finetune`, `attack` or `rebase`.
        accept_undecided: Whether an undecided fine-tune or rebase passes; an audit has
            an argument of its own.

    Raises:
        Refused: A concept came back, or the pictures do not decide.
    """
    from unlearnlog.audits.finetune_course import Finetuned
    from unlearnlog.commands import attack, audit, finetune
    from unlearnlog.commands.audit import Audited

    if isinstance(done, Finetuned):
        finetune.raise_if_failed(done, accept_undecided=accept_undecided)
    elif isinstance(done, attack.Attacked):
        attack.refuse(done)
    elif isinstance(done, Audited):
        fix = "take the erasure up again on it: unlearnlog rebase --onto"
        audit.raise_if_failed(done.verdict, fix=fix)
    else:
        audit.raise_if_failed(
            audit.verdict_of(done.after, accepted=accept_undecided),
            fix=f"the new ledger is in '{done.folder}': "
            "erase there with another eraser",
        )
