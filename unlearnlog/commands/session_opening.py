"""Opening of a session: a ledger found or created, and its model loaded."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Final

import torch

from unlearnlog.atelier.bundled_model import FOLDER, SOURCE
from unlearnlog.checkpoints.single_file import opened_base
from unlearnlog.commands.base_location import recorded, verified, whereabouts
from unlearnlog.commands.checks import suited
from unlearnlog.commands.defaults import TOKENIZER, configured
from unlearnlog.commands.session import Session
from unlearnlog.core import devices
from unlearnlog.core.plain_files import expanded
from unlearnlog.errors import NoLedger, UsageError
from unlearnlog.glyphs.glyph_model import FOLDER as GLYPH_FOLDER
from unlearnlog.glyphs.glyph_model import SOURCE as GLYPHS
from unlearnlog.glyphs.glyph_model import check_glyph_weights
from unlearnlog.ledger.base_manifest import BaseManifest
from unlearnlog.ledger.repository import Repository
from unlearnlog.models.diffusers_model import DiffusersModel
from unlearnlog.models.hub import located
from unlearnlog.models.meta_trial import check_computes
from unlearnlog.ranks.one_command import known_ranks
from unlearnlog.ranks.ranks_executor import executor_of

_ON_CPU: Final = "cpu"
DTYPES: Final = {name: getattr(torch, dtype) for name, dtype in devices.DTYPES.items()}


def init(folder: Path, model: str) -> Repository:
    """Create a ledger for a model, see `begun`."""
    return begun(folder, model)[0]


def begun(
    folder: Path, model: str, *, tokenizer: Path | None = None
) -> tuple[Repository, tuple[str, ...]]:
    """Create a ledger for a model.

    Args:
        folder: The ledger's folder.
        model: ``atelier``, a diffusers folder, a single file, or a hub id.
        tokenizer: A folder with CLIP's tokenizer, for a single file; later commands
            take it from there, too. None to find one.

    Returns:
        The ledger, and remarks on the model's file.

    A manifest needs each tensor once, so a large model is read in half precision and
    its text encoders are dropped one by one.

    Raises:
        ModelError: The model is not of a supported family.
        LedgerError: The folder holds a ledger already.
    """
    dtype = "float32" if model == SOURCE else "bfloat16"  # atelier is loaded once
    loaded, manifest = _loaded(
        model, dtype=dtype, offload=True, may_download=True, tokenizer=tokenizer
    )
    check_computes(loaded)
    if manifest.is_path:
        source = recorded(Path(manifest.source), folder)
        manifest = manifest.model_copy(update={"source": source})
    ledger = Repository.init(folder, manifest)
    if tokenizer is not None:
        ledger.configure(TOKENIZER, recorded(expanded(tokenizer), folder))
    return ledger, loaded.folder.notes


def open_session(
    start: Path,
    *,
    may_create: bool = False,
    concepts: Path | None = None,
    device: str = _ON_CPU,
    dtype: str = "float32",
    offload: bool = False,
    base: Path | None = None,
    workers: str = "",
) -> Session:
    """Find the ledger of a folder and load the model it is bound to.

    Args:
        start: The folder that the search begins at, upwards.
        may_create: Whether a folder without a ledger is accepted, for the bundled
            model.
        concepts: The concept file; None for the default of the model.
        device: Device of the model.
        dtype: Dtype of the network: float32, bfloat16 or float16.
        offload: Whether text encoders are loaded only while they are used.
        base: The base's location; None to find it, see `whereabouts`.
        workers: Who computes, as ``--workers`` takes it; empty for this process.

    Raises:
        NoLedger: There is no ledger, and ``may_create`` is False.
        WrongBase: The model is not the one the ledger was made for.
        ModelError: The base is not at its recorded path, and no other path is given.
        UsageError: There is no ledger yet, but a location of its base is given.
    """
    try:
        ledger = Repository.find(start)
    except NoLedger:
        if not may_create:
            raise
        ledger = None
    if ledger:
        config = configured(ledger)
        where = whereabouts(ledger, base=base, config=config)
        side = devices.side_of(config["side"]) if "side" in config else None
        model, manifest = verified(
            ledger,
            where,
            lambda source: _loaded(
                source,
                device,
                dtype,
                side=side,
                offload=offload,
                tokenizer=Path(config[TOKENIZER]) if TOKENIZER in config else None,
            ),
        )
    elif base is not None:
        raise UsageError(
            f"there is no ledger yet to use the base in '{base}'",
            fix=f"create one: unlearnlog init --model '{base}'",
        )
    else:
        model, manifest = _loaded(SOURCE, device, dtype)
    folder = ledger.folder if ledger else start
    ranks = known_ranks(model.device)
    model.ranks = ranks
    crew = executor_of(ranks, workers, model)
    suits = concepts or suited(manifest.source)
    return Session(folder, ledger, model, manifest, suits, crew=crew, ranks=ranks)


def session_of(
    source: str,
    *,
    concepts: Path | None = None,
    device: str = _ON_CPU,
    dtype: str = "float32",
    workers: str = "",
) -> Session:
    """Return a session of a model without a ledger, in which nothing is recorded.

    Args:
        source: ``atelier`` or a diffusers folder.
        concepts: The concept file; None for the default of the model.
        device: Device of the model.
        dtype: Dtype of the network: float32, bfloat16 or float16.
        workers: Who computes, as ``--workers`` takes it; empty for this process.

    Raises:
        ModelError: The folder is not a pipeline of a supported family.
    """
    model, manifest = _loaded(source, device, dtype)
    ranks = known_ranks(model.device)
    model.ranks = ranks
    suits = concepts or suited(manifest.source)
    crew = executor_of(ranks, workers, model)
    return Session(Path(), None, model, manifest, suits, crew=crew, ranks=ranks)


def _loaded(
    source: str,
    device: str = _ON_CPU,
    dtype: str = "float32",
    *,
    side: int | None = None,
    offload: bool = False,
    may_download: bool = False,
    tokenizer: Path | None = None,
) -> tuple[DiffusersModel, BaseManifest]:
    """Load a model, with a manifest that names it as it was requested."""
    devices.check_dtype(dtype)
    if source == SOURCE:
        model = bundled_model(device, dtype)
        return model, model.manifest.model_copy(update={"source": source})
    if source == GLYPHS:
        check_glyph_weights()
        folder = GLYPH_FOLDER
    else:
        folder = located(source, may_download=may_download)
    kind = DTYPES[dtype]
    model = DiffusersModel.load(
        opened_base(folder, tokenizer),
        device=device,
        dtype=kind,
        side=side,
        offloads=offload,
    )
    if not Path(source).exists():
        return model, model.manifest.model_copy(update={"source": source})
    return model, model.manifest


@cache
def bundled_model(device: str = _ON_CPU, dtype: str = "float32") -> DiffusersModel:
    """Return the bundled model, loaded once per process: nothing changes a model.

    It caches encoded prompts, so several ledgers in one process encode the kept ones
    once.

    Args:
        device: Device of the model.
        dtype: Dtype of the network, one of `DTYPES`.
    """
    return DiffusersModel.load(FOLDER, device=device, dtype=DTYPES[dtype])
