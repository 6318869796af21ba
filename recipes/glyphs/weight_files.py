"""The weights in a model's folder, as one digest that measurements are bound to."""

from __future__ import annotations

from pathlib import Path

from unlearnlog.core.digest import Digest, canonical_json, digest_of


def digest_of_weights(folder: Path) -> Digest:
    """Return the digest of all tensors below a folder, the judge's among them."""
    files = sorted(folder.rglob("*.safetensors"))
    names = [path.relative_to(folder).as_posix() for path in files]
    digests = [digest_of(path.read_bytes()) for path in files]
    return digest_of(canonical_json(dict(zip(names, digests, strict=True))))
