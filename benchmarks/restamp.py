"""``python -m benchmarks.restamp COMMIT``: put new code's digest on cells of old code.

A cell of an eraser is bound to the code of it. Where that code has changed and what it
computes by the cell's settings has not, the cell still holds, and measuring it again
would paint the same pictures. That is shown before a cell is touched: either each of
the eraser's files is what it was but for new definitions and new fields with a default,
which nothing of the old code knows of, and for what refuses settings; or the changes of
weights for the bench's four concepts, made by the code of COMMIT and by today's, are
equal to the bit. What solves first and trains then is shown by its two parts. With
``--few`` the changes are what few steps on few pictures come to, of a style and of a
subject: for erasers that are trained, whose steps all run the same code.

``--now OLD=NEW`` takes the cells of a row over to another label, where other settings
are the defaults today.
"""

from __future__ import annotations

import argparse
import ast
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from benchmarks.duel import Duel
    from benchmarks.sequence import Sequence

Settings = list[list[Any]]

ROOT: Final = Path(__file__).parents[1]

_ASK: Final = """
import json, sys
from benchmarks.erasers import cells, made_of, path_of
print(json.dumps({path_of(c).name: made_of(c) for c in cells()}))
"""
_FILES: Final = """
import json, sys
from benchmarks.files import imported
from unlearnlog.erasers import ERASERS
print(json.dumps({n: [str(p) for p in imported(e.__module__)]
                  for n, e in ERASERS.items()}))
"""
_DELTAS: Final = """
import json, sys, tempfile
from dataclasses import replace
from pathlib import Path
from benchmarks.__main__ import ALONE
from benchmarks.looks import Entrant
from unlearnlog.commands import erase, joint
from unlearnlog.commands.session import place
name, settings, few = json.loads(sys.argv[1])
policy = Entrant(name, name, tuple(map(tuple, settings))).blind()
found = []
for called in ("Picasso", "cat") if few else ALONE:
    with tempfile.TemporaryDirectory() as folder:
        at = place(Path(folder), may_create=True)
        concept = at.world.concept(called)
        plan = erase.plan_of(at, erase.Order((concept,), policy))
        known = plan.eraser.settings
        small = {k: v for k, v in few.items() if k in known and known[k] > v}
        if plan.eraser.joint:
            group = joint.group_of(at, plan.eraser).holding([concept])
            delta = joint.set_to(at, group)[1]
        else:
            delta = replace(plan.eraser, **small).erase(plan.request)
        found.append(delta.digest)
print(json.dumps(found))
"""


FEW: Final = {
    **dict.fromkeys(("n_kept", "n_family"), 8),
    **dict.fromkeys(("warm_up", "every", "looks", "foresight"), 2),
    "n_pictures": 24,
    "batch": 4,
    "steps": 6,
}
"""Settings of erasers that are trained, as small as shows all of what they do."""

REFUSING: Final = {"of", "check", "require", "require_above_zero", "require_below_one"}
"""Methods of `Eraser` that decide whether an erasure begins, not what it does."""

SOLVES: Final = {
    "hybrid": {},
    "hardened": {},
    "mim-unique": {"target": "parent", "erase_scale": 300.0, "family_scale": 3.0},
}
"""Erasers that train on from `ridge`, with what they tell it by default."""


def asked(root: Path, program: str, *said: str) -> Any:  # noqa: ANN401 - as JSON is
    """Return what a program says when it runs on the code below a folder."""
    done = subprocess.run(
        [sys.executable, "-c", program, *said],
        cwd=root,
        env={**os.environ, "PYTHONPATH": str(root)},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


@contextmanager
def code_of(commit: str) -> Iterator[Path]:
    """Check out a commit beside this one, for a while."""
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "old"
        git = ["git", "-C", str(ROOT), "worktree"]
        subprocess.run([*git, "add", "-q", "--detach", str(old), commit], check=True)
        try:
            yield old
        finally:
            subprocess.run([*git, "remove", "--force", str(old)], check=True)


def only_grew(old: str, new: str) -> bool:
    """Say whether a file is another one but for what was added to it.

    What may be added are definitions, constants and imports under new names, and to a
    class fields that have a default. What may have changed is what refuses settings.
    """
    before, after = ast.parse(old).body, ast.parse(new).body
    names = {n for s in before for n in _names(s)} & {
        n for s in after for n in _names(s)
    }
    classes = {c.name: c for c in before if isinstance(c, ast.ClassDef)}
    own = {c: {n for s in each.body for n in _names(s)} for c, each in classes.items()}
    return _kept(before, names, own) == _kept(after, names, own)


def _kept(body: list[ast.stmt], names: set[str], own: dict[str, set[str]]) -> list[str]:
    """Return what both files have to have in common.

    Args:
        body: A file's statements.
        names: What both files give a name to.
        own: By the name of an old class, what it gives a name to.
    """
    left: list[ast.stmt] = []
    for each in body:
        if isinstance(each, ast.ClassDef) and each.name in own:
            each.body = [s for s in each.body if not _is_new_field(s, own[each.name])]
            if each.name == "Eraser":
                each.body = [s for s in each.body if not {*_names(s)} & REFUSING]
        elif isinstance(each, ast.ImportFrom | ast.Import):
            each.names = [n for n in each.names if (n.asname or n.name) in names]
            if not each.names:
                continue
        elif isinstance(each, _DEFINING) and not {*_names(each)} & names:
            continue
        left.append(each)
    return _texts(left)


def _is_new_field(each: ast.stmt, own: set[str]) -> bool:
    new = isinstance(each, ast.AnnAssign) and each.value is not None
    return new and not {*_names(each)} & own


_DEFINING: Final = (ast.FunctionDef, ast.ClassDef, ast.Assign, ast.AnnAssign)


def _names(each: ast.stmt) -> Iterator[str]:
    """Yield what a statement gives a name to."""
    match each:
        case ast.FunctionDef(name=name) | ast.ClassDef(name=name):
            yield name
        case ast.ImportFrom(names=names) | ast.Import(names=names):
            yield from (n.asname or n.name for n in names)
        case ast.AnnAssign(target=ast.Name(id=name)):
            yield name
        case ast.Assign(targets=targets):
            yield from (t.id for t in targets if isinstance(t, ast.Name))


def _texts(body: list[ast.stmt]) -> list[str]:
    """Write statements out, without docstrings."""
    module = ast.Module(body=body, type_ignores=[])
    for node in ast.walk(module):
        inner = getattr(node, "body", None)
        if isinstance(inner, list):
            node.body = [s for s in inner if not _is_text(s)]  # type: ignore[attr-defined]
    return [ast.dump(each) for each in module.body]


def _is_text(node: ast.stmt) -> bool:
    found = node.value if isinstance(node, ast.Expr) else None
    return isinstance(found, ast.Constant) and isinstance(found.value, str)


@dataclass(frozen=True)
class Proof:
    """What the code of an earlier commit and today's have in common.

    Attributes:
        old: The folder of the earlier code.
        was: The files of each eraser there.
        now: The same today.
        few: Settings that are made smaller before changes are compared.
    """

    old: Path
    was: dict[str, list[str]]
    now: dict[str, list[str]]
    few: dict[str, int]

    def holds(self, eraser: str, before: Settings, today: Settings) -> bool:
        """Say whether the eraser does now what it did then, each with its settings."""
        if before == today and self.grew(eraser):
            return True
        if eraser in SOLVES and before == today and not self.few:
            told = [*map(list, {**SOLVES[eraser], **dict(today)}.items())]
            solving = {*self.files(self.was["ridge"], self.old)}
            return self.grew(eraser, but=solving) and self.holds("ridge", told, told)
        one = asked(self.old, _DELTAS, json.dumps([eraser, before, self.few]))
        other = asked(ROOT, _DELTAS, json.dumps([eraser, today, self.few]))
        return bool(one == other)

    def grew(self, eraser: str, but: Collection[str] = ()) -> bool:
        """Say whether the eraser's files only grew, but for some of them."""
        was = self.files(self.was[eraser], self.old)
        now = self.files(self.now[eraser], ROOT)
        if not but and was.keys() != now.keys():
            return False
        return all(
            name in now and only_grew(was[name], now[name])
            for name in was
            if name not in but or name.endswith("/eraser.py")
        )

    def files(self, paths: list[str], root: Path) -> dict[str, str]:
        """Return the texts of files by their path below a folder."""
        return {
            str(Path(path).relative_to(root)): Path(path).read_text(encoding="utf-8")
            for path in paths
        }


def main() -> None:
    """Show what still holds, and write it down."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("commit", help="whose code the cells are of")
    parser.add_argument("--now", nargs="*", default=[], metavar="OLD=NEW")
    parser.add_argument("--few", action="store_true", help="few steps say it")
    said = parser.parse_args()
    with code_of(said.commit) as old:
        renamed = dict(each.split("=")[::-1] for each in said.now)
        restamp(old, renamed, FEW if said.few else {})


def restamp(old: Path, renamed: dict[str, str], few: dict[str, int]) -> None:
    """Stamp every cell of the old code that today's would measure the same.

    Args:
        old: The folder of the old code.
        renamed: By a label of today, the one that its cells have had.
        few: Settings that are made smaller before changes are compared.
    """
    from benchmarks.erasers import cells, path_of

    was = asked(old, _ASK)
    proof = Proof(old, asked(old, _FILES), asked(ROOT, _FILES), few)
    shown: dict[str, bool] = {}
    for cell in cells():
        label = cell.entrant.label
        before = renamed.get(label, label)
        name = path_of(cell).name.replace(label, before, 1)
        path = path_of(cell).with_name(name)
        if name in was and path.exists():
            data = json.loads(path.read_text(encoding="utf-8"))
            if data["made_of"] == was[name] and _still(cell, proof, before, shown):
                _stamp(cell, path, data)


def _still(
    cell: Duel | Sequence, proof: Proof, before: str, shown: dict[str, bool]
) -> bool:
    """Say whether a cell holds, and remember it."""
    from benchmarks.erasers import said_by

    entrant, today = cell.entrant, said_by(cell)
    key = json.dumps([entrant.label, today])
    if key not in shown:
        then = today if before == entrant.label else []
        shown[key] = proof.holds(entrant.eraser, then, today)
        print(f"{key}: {'the same' if shown[key] else 'CHANGED'}", flush=True)
    return shown[key]


def _stamp(cell: Duel | Sequence, path: Path, data: dict[str, Any]) -> None:
    from benchmarks.erasers import made_of, path_of

    text = json.dumps({**data, "made_of": made_of(cell)}, indent=1) + "\n"
    path_of(cell).write_text(text, encoding="utf-8")
    if path != path_of(cell):
        path.unlink()


if __name__ == "__main__":
    main()
