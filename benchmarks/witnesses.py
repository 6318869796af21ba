"""Witnesses of computations: a few numbers from a small run of each.

A cell that took hours is bound to its computation, not to the source text: to the
digest of a row of numbers that the same code computes with few steps on few pictures. A
new run that agrees with its row leaves the row unchanged, so a new name, a split file,
another processor or another torch makes no cell stale. One that does not agree replaces
the row, and every cell bound to it is out of date.
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
"""Tolerance of two numbers, as a share of the largest of their line.

With another set of instructions (``ATEN_CPU_CAPABILITY=default``) closed forms
differ by 1e-5 of it, and trained erasers by .013 at most; `scapre`, which counts in
bins, differs by more.
"""

DIRECTIONS: Final = 3
_DIGITS: Final = 6
_SEED: Final = 0

Line = tuple[float, ...]
Row = Mapping[str, Line]
"""Lines of numbers by their names; those of one line are of one kind and size."""


@dataclass(frozen=True)
class Witness:
    """A computation with its small run.

    Attributes:
        name: Name of the computation, such as ``eraser uce``.
        computed: Computes the row.
    """

    name: str
    computed: Callable[[], Row]


@dataclass(frozen=True)
class Witnesses:
    """The stored rows, one a witness.

    Attributes:
        suite: The suite that holds them.
        done: Returns the suite of rows that this very code computed already; None to
            compute all of them.
    """

    suite: Suite
    done: Callable[[], Suite] | None = None

    def known(self, name: str) -> Row | None:
        """Return the stored row; None where there is none."""
        found = self.suite.cells().get(name)
        return found and {key: tuple(line) for key, line in found.items()}

    def digest(self, witness: Witness) -> Digest | None:
        """Return the digest of the stored row, computing nothing."""
        known = self.known(witness.name)
        return None if known is None else row_digest(known)

    def confirmed(self, witness: Witness) -> Digest:
        """Compute a witness, and return the digest of its row.

        That is the stored row as long as they agree; otherwise the new row is stored.
        """
        now, known = self.today(witness), self.known(witness.name)
        if known is not None and agree(known, now):
            return row_digest(known)
        self.suite.put(witness.name, now)
        return row_digest(now)

    def today(self, witness: Witness) -> Row:
        """Return the present row of a witness."""
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
    """Return the rows that this very code computed, in any process.

    The digest of all files only saves time here: after any change there are no rows.
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
"""Digests computed in this process."""


def digest_today(witness: Witness) -> Digest:
    """Return the digest of a witness's row, computed once in a process."""
    if witness.name not in _TODAY:
        _TODAY[witness.name] = WITNESSES.confirmed(witness)
    return _TODAY[witness.name]


def with_one_thread(computed: Callable[[], Row]) -> Row:
    """Set one thread: sums of several threads differ in the last digits."""
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
    """Return whether two rows have the same names and agree in each."""
    return one.keys() == other.keys() and all(
        _near(one[key], other[key]) for key in one
    )


def _near(one: Line, other: Line) -> bool:
    if len(one) != len(other):
        return False
    most = TOLERANCE * max((abs(each) for each in (*one, *other)), default=0.0)
    return all(abs(a - b) <= most for a, b in zip(one, other, strict=True))


def sketch(tensor: Tensor) -> Line:
    """Return a tensor's norm, and its products with directions of random signs.

    A change of the tensor by a share of its norm, in any direction, changes each of
    these by about that share.
    """
    flat = tensor.detach().double().flatten()
    source = torch.Generator().manual_seed(_SEED)
    signs = torch.randint(0, 2, (DIRECTIONS, len(flat)), generator=source).double()
    return line([float(flat.norm()), *((2 * signs - 1) @ flat).tolist()])


def line(values: list[float]) -> Line:
    """Return numbers with the digits that are stored."""
    return tuple(float(f"{value:.{_DIGITS}g}") for value in values)


def lines_of(data: Any, path: str = "") -> Iterator[tuple[str, Line]]:  # noqa: ANN401
    """Yield the numbers of a JSON value: for each object its measures, and its counts.

    Measures of one object are of similar size, so one that is negligible beside the
    others counts as 0.
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
