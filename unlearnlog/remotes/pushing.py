"""Branches and tags that a remote takes over: what it lacks is sent, then they move."""

from __future__ import annotations

import random
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from unlearnlog.core.digest import Digest, digest_of
from unlearnlog.core.provenance import now
from unlearnlog.errors import Diverged, LockBusy, RemoteError, WrongBase
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.ledger_file import LedgerFile, file_of, files_of
from unlearnlog.ledger.revision import below, in_the_way
from unlearnlog.ledger.signature_files import tag_text
from unlearnlog.remotes.file_lists import FileList, listed_too, lists_there
from unlearnlog.remotes.ref_log import RefState, move, newest
from unlearnlog.remotes.remote_refs import RemoteRefs
from unlearnlog.remotes.transfer import Traffic, sent

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.progress import Progress
    from unlearnlog.ledger.repository import Repository
    from unlearnlog.remotes.remote_store import Connection

_TRIES: Final = 25
"""Most times that a push begins anew because another one came first."""

_WORDS: Final = {"heads": "branch", "tags": "tag"}

_PARTS: Final = frozenset(
    {
        *("refs", "bases", "entries", "objects", "attacks", "tmp", "lock"),
        *("signatures", "sealed", "lists"),
    }
)


@dataclass(frozen=True)
class RefOrder:
    """A ref that a remote is to have.

    Attributes:
        ref: Such as ``heads/main``.
        to: Its entry; None for the base.
        is_leased: Whether it may move to any entry, from ``expected``.
        expected: Where the remote's ref must be, where it is leased.
    """

    ref: str
    to: EntryId | None
    is_leased: bool = False
    expected: EntryId | None = None

    @property
    def name(self) -> str:
        """The name of the branch or the tag."""
        return self.ref.partition("/")[2]


@dataclass(frozen=True)
class RefMove:
    """A ref that was moved.

    Attributes:
        ref: Such as ``heads/main``.
        old: The entry before; empty where it is new.
        new: The entry now, or ``base``.
        how: ``new``, ``forward``, ``forced`` or ``same``.
    """

    ref: str
    old: str
    new: str
    how: str


@dataclass(frozen=True)
class Pushed:
    """The outcome of a push: refs, what was sent, the number of the refs there."""

    moves: tuple[RefMove, ...]
    traffic: Traffic
    number: int


def push(
    here: Repository, there: Connection, orders: Sequence[RefOrder], watch: Progress
) -> Pushed:
    """Move refs of a remote, all of them or none, after sending what it lacks.

    Args:
        here: The own ledger.
        there: The remote.
        orders: The refs.
        watch: Receives the progress of the work.

    Raises:
        Diverged: A move would lose work; nothing was moved.
        WrongBase: The remote belongs to another model.
        RemoteError: It cannot be written to; of what has arrived at most small files
            are sent twice.
    """
    traffic, moves, busy = Traffic(), list[RefMove](), LockBusy("", fix="")
    for attempt in range(_TRIES):
        state = newest(there)
        if state is None:
            _check_free(there)
        else:
            check_base(here, there, state.refs)
        planned = [_planned(here, there, order, state) for order in orders]
        changing = [each for each in planned if each.how != "same"]
        load = _load(here, there, orders, state)
        if not (changing or load.unlisted):  # or an answer was lost: the refs had moved
            return Pushed(
                tuple(moves or planned), traffic, state.number if state else 0
            )
        moves = planned
        traffic = _sum(traffic, _send(here, there, load, state, watch=watch))
        refs = _refs_after(here, there, orders, state)
        if load.unlisted:
            listed = listed_too(here, there, load.lists, load.unlisted)
            refs = replace(refs, listed=listed)
        try:
            if move(there, state, refs):
                return Pushed(
                    tuple(planned), traffic, (state.number if state else 0) + 1
                )
        except LockBusy as error:
            busy = error
        # Chance alone: it decides how long to wait, and nothing that is recorded.
        time.sleep(random.uniform(0, 0.05 * (attempt + 1)))
    if busy.message:
        raise busy
    raise RemoteError(
        f"{there.name} ({there.url}) was moved by others {_TRIES} times in a row",
        fix="run the same again: of what has arrived at most small files are sent "
        "twice",
    )


def check_base(here: Repository, there: Connection, refs: RemoteRefs) -> None:
    """Refuse a remote of another model.

    Raises:
        WrongBase: Its base has other tensors.
    """
    if refs.base != here.base.root:
        raise WrongBase(
            f"{there.name} ({there.url}) is of a model with digest {refs.base[:12]}, "
            f"this ledger of {here.base.name} with {here.base.root[:12]}",
            fix="give each model a remote of its own: unlearnlog remote add NAME URL",
        )


def _planned(
    here: Repository, there: Connection, order: RefOrder, state: RefState | None
) -> RefMove:
    """Return how a ref moves; refuse a move that would lose work."""
    refs: Mapping[str, EntryId | None] = state.refs.refs if state else {}
    is_new = order.ref not in refs
    old = refs.get(order.ref)
    made = RefMove(order.ref, "" if is_new else id_line(old), id_line(order.to), "new")
    if not is_new and old == order.to:
        return replace(made, how="same")
    if order.is_leased:
        if is_new or old != order.expected:
            raise _stale(there, order, made.old)
        return replace(made, how="forced")
    if is_new:
        _check_room(there, order, refs)
        return made
    if order.ref.startswith("tags/"):
        raise Diverged(
            f"the tag {order.name} of {there.name} names {id_line(old)[:12]}, here "
            f"{id_line(order.to)[:12]}: a tag never moves",
            fix="push it under a name of its own: unlearnlog tag NAME "
            f"{id_line(order.to)[:12]}",
        )
    if old is not None and old not in here.ancestors(order.to):
        raise _would_lose(here, there, order, old)
    return replace(made, how="forward")


def _check_room(there: Connection, order: RefOrder, refs: Iterable[str]) -> None:
    """Refuse a new ref beside which another of the remote could not be fetched.

    Raises:
        Diverged: One is the folder of the other, or differs in the case of letters.
    """
    kind = order.ref.partition("/")[0]
    if other := in_the_way(order.name, below(kind, refs)):
        raise Diverged(
            f"{there.name} has '{other}': '{order.name}' cannot be beside it, since "
            "each is a file in a ledger",
            fix=f"give it another name here: unlearnlog {_WORDS[kind]} NAME "
            f"{id_line(order.to)[:12]}",
        )


def _stale(there: Connection, order: RefOrder, found: str) -> Diverged:
    return Diverged(
        f"{order.name} of {there.name} is not at {id_line(order.expected)[:12]}, where "
        f"it was expected, but at {found[:12] or 'nothing'}",
        fix=f"see what is there: unlearnlog fetch {there.name}; then push again",
    )


def _would_lose(
    here: Repository, there: Connection, order: RefOrder, old: EntryId
) -> Diverged:
    """Return the error for a push of a branch that does not continue the remote's."""
    name, other = order.name, f"{there.name}/{order.name}"
    if here.holds(old) and (order.to is None or order.to in here.ancestors(old)):
        return Diverged(
            f"{name} is behind {there.name}, which is at {old[:12]}: there is nothing "
            "to push",
            fix=f"take its entries over: unlearnlog pull {there.name}",
        )
    return Diverged(
        f"{name} of {there.name} is at {old[:12]}, which {name} does not continue: a "
        "push would lose what is there",
        fix=f"unlearnlog fetch {there.name}; {aside(name, other)}; push again; or, to "
        f"lose what is there: unlearnlog push --force-with-lease {there.name} {name}",
    )


def aside(branch: str, other: str) -> str:
    """Return the commands that put the own entries of a branch on top of another's."""
    return (
        f"unlearnlog branch my-{branch}; unlearnlog reset {other}; unlearnlog compose "
        f"my-{branch}"
    )


@dataclass(frozen=True)
class _Load:
    """What a remote needs for some refs.

    Attributes:
        files: Files that it may lack.
        unlisted: Those of them that belong in a list, and are in none there.
        lists: Its lists, newest first.
    """

    files: tuple[LedgerFile, ...]
    unlisted: tuple[LedgerFile, ...]
    lists: tuple[FileList, ...]


def _load(
    here: Repository,
    there: Connection,
    orders: Sequence[RefOrder],
    state: RefState | None,
) -> _Load:
    """Return what a remote needs: new entries, and the signatures of old ones, too."""
    known: set[EntryId] = set()
    for tip in (state.refs.refs if state else {}).values():
        if tip is not None and tip not in known and here.holds(tip):
            known |= here.ancestors(tip)
    files: dict[LedgerFile, None] = {}
    for order in orders:
        files |= dict.fromkeys(_needed(here, order.to, known))
    signatures = _signatures(here, orders)
    beside = [*signatures, *(file for file in files if file.subject)]
    is_listed = bool(beside and state)
    lists = lists_there(here, there, state.refs.listed) if state and is_listed else []
    had = {file for each in lists for file in each.files}
    unlisted = tuple(file for file in beside if file not in had)
    rest = [file for file in files if not file.subject]
    return _Load((*unlisted, *rest), unlisted, tuple(lists))


def _signatures(here: Repository, orders: Sequence[RefOrder]) -> list[LedgerFile]:
    """Return the signatures of the refs' entries, and of the refs that are tags."""
    by_subject = here.signatures
    subjects: dict[str, None] = {}
    for order in orders if by_subject else ():
        if order.ref.startswith("tags/"):
            subjects[digest_of(tag_text(order.name, order.to, here.base.root))] = None
        subjects |= dict.fromkeys(name for name, _ in here.history(order.to))
    return [file for each in subjects for file in by_subject.get(each, ())]


def _send(
    here: Repository,
    there: Connection,
    load: _Load,
    state: RefState | None,
    *,
    watch: Progress,
) -> Traffic:
    """Send all that the remote needs for the refs, its base's manifest first."""
    if state is None:
        data = portable_base(here)
        if not there.holds(path := manifest_path(digest_of(data)), len(data)):
            there.write(path, data)
    return sent(here, there, load.files, watch)


def _needed(
    here: Repository, tip: EntryId | None, known: set[EntryId]
) -> Iterator[LedgerFile]:
    """Yield the files of all entries up to a tip that a remote may lack."""
    had = {file for each in known for file in files_of(here.entry(each))}
    for entry_id, entry in here.history(tip):
        if entry_id not in known:
            for file in files_of(entry):
                if file not in had:
                    yield from here.stored(file) or [file]
            yield file_of(entry_id)


def _refs_after(
    here: Repository,
    there: Connection,
    orders: Sequence[RefOrder],
    state: RefState | None,
) -> RemoteRefs:
    new = {order.ref: order.to for order in orders}
    if state is not None:
        return replace(state.refs, refs={**state.refs.refs, **new}, at=now())
    heads = [ref.partition("/")[2] for ref in new if ref.startswith("heads/")]
    head = here.branch if here.branch in heads else (heads or [here.branch])[0]
    manifest = digest_of(portable_base(here))
    creates = there.can_create()
    return RemoteRefs(here.base.root, manifest, head, new, creates=creates)


def _check_free(there: Connection) -> None:
    """Refuse a place without refs that holds files of another kind."""
    tops = {name.partition("/")[0] for name in there.names("") or ()}
    if strange := sorted(tops - _PARTS):
        raise RemoteError(
            f"{there.name} ({there.url}) is no remote: it holds {strange[0]!r}",
            fix="choose an empty place: unlearnlog remote add NAME URL",
        )


def portable_base(here: Repository) -> bytes:
    """Return the base's manifest, without the path that it has on this machine."""
    base = here.base
    if base.is_path:
        base = base.model_copy(update={"source": f"../{base.name}"})
    return base.to_json()


def manifest_path(digest: Digest) -> str:
    """Return the path of a base's manifest in a remote."""
    return f"bases/{digest}.json"


def _sum(one: Traffic, other: Traffic) -> Traffic:
    return Traffic(one.n_files + other.n_files, one.n_bytes + other.n_bytes)
