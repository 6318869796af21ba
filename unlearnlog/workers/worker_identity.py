"""The identity of a worker, which must be the driver's: package, model, judge."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Final

import unlearnlog
from unlearnlog import __version__
from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.core.provenance import versions

_SHOWN: Final = 12


@dataclass(frozen=True)
class WorkerIdentity:
    """What a worker computes with.

    Attributes:
        package: Version of this package.
        code: Digest of this package's source files.
        libraries: Versions of the libraries that compute.
        base: Root of the model's manifest.
        threads: Threads of a CPU.
        kind: All that decides the last bits: device, dtype, processor, threads, torch.
    """

    package: str
    code: Digest
    libraries: str
    base: Digest
    threads: int
    kind: str

    @classmethod
    def of(cls, base: Digest, threads: int, kind: str) -> WorkerIdentity:
        """Return the identity of this process with a model."""
        libraries = canonical_json(versions()).decode()
        return cls(__version__, code_digest(), libraries, base, threads, kind)

    def differs_from(self, wanted: WorkerIdentity) -> str:
        """Return what is not as wanted, with both values; empty where all is.

        Kinds of device may differ: an entry records them.
        """
        ours, theirs = asdict(wanted), asdict(self)
        for name in ("package", "code", "libraries", "base", "threads"):
            if ours[name] != theirs[name]:
                one, other = (str(each[name])[:_SHOWN] for each in (theirs, ours))
                if name == "libraries":
                    one, other = theirs[name], ours[name]
                return f"its {_SAID[name]} is {one}, here {other}"
        return ""


_SAID: Final = {
    "package": "version of unlearnlog",
    "code": "code of unlearnlog",
    "libraries": "list of libraries",
    "base": "base model",
    "threads": "number of threads",
}


@cache
def code_digest() -> Digest:
    """Return the digest of this package's source files, by their paths below it."""
    root = Path(str(unlearnlog.__file__)).parent
    records = [
        [str(file.relative_to(root)), hashlib.sha256(file.read_bytes()).hexdigest()]
        for file in sorted(root.rglob("*.py"))
    ]
    return digest_of(canonical_json(records))
