"""Witnesses: a few numbers that something computes in small, and goes on computing.

A cell that took hours is bound to what computes it, not to how that is spelt: to the
digest of a row of numbers that the same code comes to with few steps on few pictures.
What is computed anew and agrees with its row leaves the row as it is, so a new name, a
split file, another processor or another torch makes no cell stale. What does not agree
replaces the row, and every cell that was bound to it is out of date.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import torch
from torch import Tensor

from benchmarks.suite import BUILD, Suite
from unlearnlog.core.digest import Digest, canonical_json, digest_of
from unlearnlog.core.resources import PACKAGE, policy_folder

TOLERANCE: Final = 0.02
"""How far two numbers may be apart, as a share of the largest of their line.

With another set of instructions (``ATEN_CPU_CAPABILITY=default``) closed forms come to
the same but for 1e-5 of it, and what is trained but for .013 at most; `scapre`, which
counts in bins, is another one there.
"""

DIRECTIONS: Final = 3
_DIGITS: Final = 6
_SEED: Final = 0

Line = tuple[float, ...]
Row = Mapping[str, Line]
"""Lines of numbers by what they are of. Those of one line are of one kind and size."""


@dataclass(frozen=True)
class Witness:
    """Something that computes.

    Attributes:
        name: What it is, in the field's words: ``eraser uce``.
        computed: Computes the row anew.
    """

    name: str
    computed: Callable[[], Row]


@dataclass(frozen=True)
class Witnesses:
    """The rows that are known, one a witness.

    Attributes:
        suite: Where they are written down.
        done: Says where the rows are that this very code has come to already; None to
            compute all of them.
    """

    suite: Suite
    done: Callable[[], Suite] | None = None

    def known(self, name: str) -> Row | None:
        """Return the row that is written down; None where there is none."""
        found = self.suite.cells().get(name)
        return found and {key: tuple(line) for key, line in found.items()}

    def digest(self, witness: Witness) -> Digest | None:
        """Return the digest of the row that is written down, computing nothing."""
        known = self.known(witness.name)
        return None if known is None else row_digest(known)

    def confirmed(self, witness: Witness) -> Digest:
        """Compute a witness, and return the digest of the row that stands for it.

        That is the row that is written down as long as they agree; where they do not,
        or none is there, the new one is written down.
        """
        now, known = self.today(witness), self.known(witness.name)
        if known is not None and agree(known, now):
            return row_digest(known)
        self.suite.put(witness.name, now)
        return row_digest(now)

    def today(self, witness: Witness) -> Row:
        """Return the row that a witness comes to today."""
        if self.done is None:
            return with_one_thread(witness.computed)
        there = Witnesses(self.done())
        row = there.known(witness.name)
        if row is None:
            row = with_one_thread(witness.computed)
            there.suite.put(witness.name, row)
        return row


@cache
def of_this_code() -> Suite:
    """Return the rows that this very code came to, in whichever process.

    A digest of all files only saves time here: any other byte begins with no rows.
    """
    folders = (PACKAGE, policy_folder(), Path(__file__).parent)
    files = sorted({p for each in folders for p in each.rglob("*") if _is_code(p)})
    said = [torch.__version__, *(digest_of(path.read_bytes()) for path in files)]
    return Suite(BUILD / "witnesses" / f"{digest_of(canonical_json(said))}.json")


def _is_code(path: Path) -> bool:
    ours = {"__pycache__", "results"}
    return path.is_file() and not ours & {*path.parts}


WITNESSES: Final = Witnesses(Suite.called("witnesses"), of_this_code)


_TODAY: Final[dict[str, Digest]] = {}
"""What was computed in this process already."""


def digest_today(witness: Witness) -> Digest:
    """Return the digest of a witness's row, computed once a process."""
    if witness.name not in _TODAY:
        _TODAY[witness.name] = WITNESSES.confirmed(witness)
    return _TODAY[witness.name]


def with_one_thread(computed: Callable[[], Row]) -> Row:
    """Compute with one thread: sums of several have other last digits."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        return computed()
    finally:
        torch.set_num_threads(threads)


def row_digest(row: Row) -> Digest:
    """Return the digest of a row, whatever the order of its lines."""
    return digest_of(
        canonical_json({key: [*map(str, row[key])] for key in sorted(row)})
    )


def agree(one: Row, other: Row) -> bool:
    """Say whether two rows are of the same things and say the same of each."""
    return one.keys() == other.keys() and all(
        _near(one[key], other[key]) for key in one
    )


def _near(one: Line, other: Line) -> bool:
    if len(one) != len(other):
        return False
    most = TOLERANCE * max((abs(each) for each in (*one, *other)), default=0.0)
    return all(abs(a - b) <= most for a, b in zip(one, other, strict=True))


def sketch(tensor: Tensor) -> Line:
    """Return a tensor's norm, and what it comes to along directions of signs.

    A change of the tensor by a share of its norm, in whatever direction, moves each of
    these by about as much.
    """
    flat = tensor.detach().double().flatten()
    source = torch.Generator().manual_seed(_SEED)
    signs = torch.randint(0, 2, (DIRECTIONS, len(flat)), generator=source).double()
    return line([float(flat.norm()), *((2 * signs - 1) @ flat).tolist()])


def line(values: list[float]) -> Line:
    """Return numbers with as many digits as are written down."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def lines_of(data: Any, path: str = "") -> Iterator[tuple[str, Line]]:  # noqa: ANN401
    """Yield the numbers of a JSON value: for each object its measures, and its counts.

    Measures of one object are of like size, so one that is next to nothing beside the
    others counts as nothing.
    """
    if isinstance(data, dict | list):
        parts = data.items() if isinstance(data, dict) else enumerate(data)
        numbers = [(k, v) for k, v in parts if isinstance(v, int | float)]
        measures = [v for _, v in numbers if isinstance(v, float)]
        counts = [float(v) for _, v in numbers if isinstance(v, int)]
        if measures:
            yield path, line(measures)
        if counts:
            yield f"{path} counts".strip(), line(counts)
        parts = data.items() if isinstance(data, dict) else enumerate(data)
        for key, each in parts:
            yield from lines_of(each, f"{path} {key}".strip())
