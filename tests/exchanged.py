"""Erasures that nobody trained, recorded in ledgers of tiny models."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch
from diffusers import UNet2DConditionModel

from tests.tiny import build_pipeline
from unlearnlog.commands.session import Session
from unlearnlog.commands.session_opening import open_session
from unlearnlog.core.concept import Concept
from unlearnlog.core.delta import (
    Delta,
    LowRank,
    Weights,
    change_after,
    rounded,
    state_digest,
)
from unlearnlog.core.entry import Append, DeltaRecord, Entry, StateRecord
from unlearnlog.core.eraser_record import EraserRecord
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.ledger.repository import Repository
from unlearnlog.policy import Policy

BLIND = Policy.of(
    {
        "name": "blind",
        "judge": "none",
        "eraser": {"name": "mim", "n_pictures": 20, "n_family": 0},
        "sampling": {"steps": 1, "guidance": 1.0},
        "probes": {
            "erased": 1,
            "renamed": 0,
            "family": 0,
            "kept": 1,
            "kept_share": 0.1,
            "information": 0,
        },
    },
    "blind",
)


def tiny_model(folder: Path, dtype: torch.dtype, family: str = "1.5") -> Path:
    """Write a tiny pipeline whose UNet has a dtype of its own."""
    build_pipeline(folder, family=family)
    if dtype != torch.float16:
        unet = UNet2DConditionModel.from_pretrained(folder / "unet")
        unet.to(dtype).save_pretrained(folder / "unet")
    return folder


def drawn(base: Weights, *, seed: int = 0, rank: int = 2, scale: float = 0.1) -> Delta:
    """Draw a change of every text projection."""
    rng = torch.Generator().manual_seed(seed)
    return Delta(
        {
            name: LowRank(
                scale * torch.randn(tensor.shape[0], rank, generator=rng),
                torch.randn(rank, tensor.shape[1], generator=rng),
            )
            for name, tensor in base.items()
        }
    )


def recorded(at: Session, delta: Delta, name: str = "Picasso") -> Session:
    """Record a delta as the erasure of a style; return the place with it."""
    ledger = at.ledger or Repository.init(at.folder, at.manifest)
    at = replace(at, ledger=ledger)
    after = state_digest(
        rounded(at.model.base, change_after([delta], at.change())), at.manifest.root
    )
    entry = Entry(
        parent=ledger.head,
        kind="erase",
        concepts=(Concept(name, "style"),),
        eraser=EraserRecord(name="mim"),
        seed=0,
        policy="none",
        changes=(Append(object=delta.digest),),
        delta=DeltaRecord(digest=delta.digest, n_bytes=delta.n_bytes),
        state=StateRecord(before=at.state_digest(), after=after),
        verdict=VerdictRecord(passed=True),
        seconds=1.0,
        made_with={},
    )
    ledger.append(entry, delta)
    return at


def ledger_of(folder: Path, model: Path) -> Session:
    """Create an empty ledger in a new folder, for a model."""
    from unlearnlog.commands.session_opening import init

    folder.mkdir()
    init(folder, str(model))
    return open_session(folder)
