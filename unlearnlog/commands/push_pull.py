"""Push, fetch and pull: refs that are named, and the branch that follows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from unlearnlog.commands.named_remotes import ORIGIN, the_remote
from unlearnlog.core.suggestions import advice
from unlearnlog.errors import Diverged, LockBusy, RevisionError, UsageError
from unlearnlog.ledger.checksummed import id_line
from unlearnlog.ledger.receiving import Arrival
from unlearnlog.ledger.remote_list import tracking_ref
from unlearnlog.remotes.fetching import fetch
from unlearnlog.remotes.opening_remotes import connected
from unlearnlog.remotes.pushing import RefMove, RefOrder, aside, push

if TYPE_CHECKING:
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.progress import Progress
    from unlearnlog.ledger.repository import Repository


@dataclass(frozen=True)
class PushRequest:
    """What a push is asked for.

    Attributes:
        remote: The remote; empty for the usual one.
        names: Branches and tags; empty for the current branch.
        with_all: Whether all branches are pushed.
        with_tags: Whether all tags are pushed.
        is_leased: Whether branches may move to any entry, if they are where expected.
        expected: Revision by branch where the remote's must be; of others it is where
            the last fetch or push found them.
    """

    remote: str = ""
    names: tuple[str, ...] = ()
    with_all: bool = False
    with_tags: bool = False
    is_leased: bool = False
    expected: Mapping[str, str] | None = None


@dataclass(frozen=True)
class PushResult:
    """The outcome of a push.

    Attributes:
        remote: The remote's name.
        url: Its address.
        refs: What moved there, and what stayed.
        n_files: Entries, deltas, attacks and signatures that were sent.
        n_bytes: Their size.
    """

    remote: str
    url: str
    refs: tuple[RefMove, ...]
    n_files: int
    n_bytes: int


@dataclass(frozen=True)
class FetchResult:
    """The outcome of a fetch.

    Attributes:
        remote: The remote's name.
        url: Its address.
        branches: Old and new entry of the remote's branches that moved.
        tags: Tags that are new here.
        kept: Tags of the remote that were not taken: the name is in use here.
        n_files: Entries, deltas, attacks and signatures that were fetched.
        n_bytes: Their size.
    """

    remote: str
    url: str
    branches: Mapping[str, tuple[str, str]]
    tags: tuple[str, ...]
    kept: tuple[str, ...]
    n_files: int
    n_bytes: int


@dataclass(frozen=True)
class PullResult:
    """The outcome of a pull: of its fetch, and of the branch.

    Attributes:
        fetched: What came.
        branch: The branch of the own ledger.
        old: Its newest entry before.
        new: Its newest entry now; ``base`` without one.
    """

    fetched: FetchResult
    branch: str
    old: str
    new: str


@dataclass(frozen=True)
class Upstream:
    """Where a branch is, compared with the remote's of its name.

    Attributes:
        name: Such as ``origin/main``.
        ahead: Entries that only the own branch has.
        behind: Entries that only the remote's has.
    """

    name: str
    ahead: int
    behind: int


def push_to(ledger: Repository, request: PushRequest, watch: Progress) -> PushResult:
    """Send branches and tags to a remote; see `unlearnlog.remotes.pushing.push`.

    Raises:
        UsageError: A remote is unknown or can only be read.
        RevisionError: There is no such branch or tag.
    """
    name, url = the_remote(ledger, request.remote)
    orders = _orders(ledger, name, request)
    with connected(url, name, to_write=True) as there:
        done = push(ledger, there, orders, watch)
    heads = [order for order in orders if order.ref.startswith("heads/")]
    tracking = {tracking_ref(name, order.name): order.to for order in heads}
    with suppress(LockBusy):  # the next fetch says the same
        ledger.receive(Arrival(name, (), tracking))
    sizes = done.traffic
    return PushResult(name, str(url), done.moves, sizes.n_files, sizes.n_bytes)


def _orders(ledger: Repository, remote: str, request: PushRequest) -> list[RefOrder]:
    """Return the refs that are to be pushed, each once."""
    refs = ledger.refs
    named = [_ref_called(ledger, name) for name in request.names]
    if request.with_all:
        named += [f"heads/{name}" for name in ledger.branches]
    if request.with_tags:
        named += [f"tags/{name}" for name in ledger.tags]
    if not named and not request.with_tags:
        named = [f"heads/{ledger.branch}"]
    if unmeant := {*(request.expected or {})} - {n.partition("/")[2] for n in named}:
        raise UsageError(
            f"'{min(unmeant)}' is expected somewhere, and not pushed",
            fix=f"push it, too: unlearnlog push {remote} {min(unmeant)}",
        )
    if not named:
        raise UsageError(
            "there is no tag to push", fix="name a revision: unlearnlog tag NAME"
        )
    return [
        _order(ledger, remote, ref, refs[ref], request)
        for ref in dict(zip(named, named, strict=True))
    ]


def _order(
    ledger: Repository,
    remote: str,
    ref: str,
    to: EntryId | None,
    request: PushRequest,
) -> RefOrder:
    if not request.is_leased or ref.startswith("tags/"):
        return RefOrder(ref, to)
    branch = ref.partition("/")[2]
    if (rev := (request.expected or {}).get(branch)) is not None:
        return RefOrder(ref, to, is_leased=True, expected=ledger.resolve(rev))
    known = ledger.tracked(remote)
    if branch not in known:
        raise UsageError(
            f"where {branch} of {remote} was is not known here",
            fix=f"see what is there first: unlearnlog fetch {remote}",
        )
    return RefOrder(ref, to, is_leased=True, expected=known[branch])


def _ref_called(ledger: Repository, name: str) -> str:
    """Return the ref of a branch or a tag.

    Raises:
        RevisionError: There is none of this name.
    """
    for kind, names in (("heads", ledger.branches), ("tags", ledger.tags)):
        if name in names:
            return f"{kind}/{name}"
    raise RevisionError(
        f"{name!r} is no branch or tag of this ledger, and nothing else is pushed",
        fix=advice(name, [*ledger.branches, *ledger.tags]),
    )


def fetch_from(ledger: Repository, remote: str, watch: Progress) -> FetchResult:
    """Bring what a remote has; see `unlearnlog.remotes.fetching.fetch`.

    Raises:
        UsageError: There is no such remote.
    """
    name, url = the_remote(ledger, remote)
    with connected(url, name, to_write=False) as there:
        done = fetch(ledger, there, watch)
    sizes = done.traffic
    return FetchResult(
        name,
        str(url),
        done.moved,
        done.tags,
        done.kept,
        n_files=sizes.n_files,
        n_bytes=sizes.n_bytes,
    )


def pull_from(
    ledger: Repository, remote: str, branch: str, watch: Progress
) -> PullResult:
    """Fetch, then move the current branch forward to the remote's.

    Args:
        ledger: The ledger.
        remote: The remote; empty for the usual one.
        branch: The remote's branch; empty for the one of the current branch's name.
        watch: Receives the progress of the work.

    Raises:
        Diverged: Neither continues the other; the fetch is kept, no branch moved.
        RevisionError: The remote has no such branch.
    """
    name, _ = the_remote(ledger, remote)
    mine = ledger.branch
    theirs = branch or mine
    fetched = fetch_from(ledger, name, watch)
    known = ledger.tracked(name)
    if theirs not in known:
        raise RevisionError(
            f"{name} has no branch {theirs!r}",
            fix=f"{advice(theirs, known)}; to bring it there: unlearnlog push {name} "
            f"{theirs}",
        )
    old, new = ledger.head, known[theirs]
    if new is None or new in ledger.ancestors(old):
        return PullResult(fetched, mine, id_line(old), id_line(old))
    if old is not None and old not in ledger.ancestors(new):
        raise Diverged(
            f"{mine} and {name}/{theirs} have both moved since they were the same",
            fix="put your entries on top of theirs: "
            f"{aside(mine, f'{name}/{theirs}')}; or compare them: unlearnlog log "
            "--graph",
        )
    ledger.advance(mine, old, new, why=f"pull {name}")
    return PullResult(fetched, mine, id_line(old), id_line(new))


def upstream_of(ledger: Repository) -> Upstream | None:
    """Return where the current branch is beside a remote's; None where none follows it.

    Where several remotes have the branch, ``origin`` counts, else the first by name.
    """
    branch = ledger.branch
    for remote in _usual_first([*ledger.remotes]):
        known = ledger.tracked(remote)
        if branch in known:
            mine = ledger.ancestors(ledger.head)
            theirs = ledger.ancestors(known[branch])
            name = f"{remote}/{branch}"
            return Upstream(name, len(mine - theirs), len(theirs - mine))
    return None


def _usual_first(names: Sequence[str]) -> list[str]:
    return sorted(names, key=lambda name: (name != ORIGIN, name))
