"""Changes in a loaded pipeline beside its base: LoRAs, or another erasure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

import torch

from unlearnlog.errors import UsageError, WrongBase

if TYPE_CHECKING:
    from unlearnlog.commands.session import Session
    from unlearnlog.core.entry import EntryId

_ADAPTED: Final = (".base_layer.", ".lora_A.", ".lora_B.")
"""Parts of parameter names in layers that peft has wrapped."""

_SHOWN: Final = 3


def refuse_adapters(pipeline: object) -> None:
    """Refuse a pipeline with a LoRA, which would change every revision.

    Raises:
        UsageError: A LoRA is loaded, or fused and not unfused.
    """
    parts: Mapping[str, Any] = getattr(pipeline, "components", {})
    adapted = [name for name, part in parts.items() if _is_adapted(part)]
    fused = getattr(pipeline, "num_fused_loras", 0)
    if adapted or fused:
        how = "fused" if fused else "loaded"
        where = f" in its {' and '.join(adapted)}" if adapted else ""
        calls = ["pipeline.unfuse_lora()"] if fused else []
        calls.append("pipeline.unload_lora_weights()")
        raise UsageError(
            f"the pipeline has a {how} LoRA{where}, which would change every revision",
            fix=f"unload the LoRA first: {', then '.join(calls)}; what stays fused "
            "goes when the pipeline is loaded anew",
        )


def _is_adapted(part: object) -> bool:
    """Return whether peft has wrapped a layer of a network."""
    if not isinstance(part, torch.nn.Module):
        return False
    names = (name for name, _ in part.named_parameters())
    return any(mark in f".{name}" for name in names for mark in _ADAPTED)


def refuse_other_changes(
    at: Session, parts: Mapping[str, Any], names: Iterable[str]
) -> None:
    """Refuse tensors that are neither the base's nor a revision's.

    Args:
        at: The session, with its ledger and model.
        parts: The pipeline's parameters by full name.
        names: Full names of the tensors that revisions may change.

    Raises:
        WrongBase: They have another change: another ledger's, or a fused LoRA.
    """
    base = at.model.base
    found = {name: parts[name].detach().cpu() for name in names}
    changed = [name for name, here in found.items() if not _same(here, base[name])]
    if not changed:
        return
    for entry in _states(at):
        state = at.weights(entry)
        known = {n: state[n] if n in state else base[n] for n in (*changed, *found)}
        if all(_same(found[name], tensor) for name, tensor in known.items()):
            return
    source = at.manifest.source
    raise WrongBase(
        f"the pipeline carries a change that is not this ledger's, in {len(changed)} "
        f"tensors: {', '.join(changed[:_SHOWN])}",
        fix=f"load it anew from {source}; or take the change out where it came from: "
        'the other ledger\'s apply(pipeline, "base"), or pipeline.unfuse_lora()',
    )


def _same(here: torch.Tensor, there: torch.Tensor) -> bool:
    return torch.equal(here, there.to(here.dtype))


def _states(at: Session) -> Iterator[EntryId]:
    """Yield one entry for each state that a pipeline may carry, likely ones first."""
    ledger = at.the_ledger()
    known = ledger.reachable()
    newest = [entry for entry, _ in reversed(ledger.history(ledger.head))]
    seen = {ledger.state_digest(None)}
    for entry in (*newest, *known):
        state = known[entry].state.after
        if state not in seen:
            seen.add(state)
            yield entry
