"""Files of a ledger on their way, several at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from unlearnlog.core.progress import Progress
    from unlearnlog.ledger.ledger_file import LedgerFile
    from unlearnlog.ledger.repository import Repository
    from unlearnlog.remotes.remote_store import Connection

Given = TypeVar("Given")

_MANY: Final = 32
"""More files are compared with a list of all, and not asked for one by one."""


@dataclass(frozen=True)
class Traffic:
    """What has travelled.

    Attributes:
        n_files: Entries, deltas, attacks and signatures.
        n_bytes: Their size.
    """

    n_files: int = 0
    n_bytes: int = 0


def each_of(
    items: Sequence[Given], work: Callable[[Given], None], *, at_once: int
) -> None:
    """Do some work for each item, several at a time; stop at the first error."""
    if at_once == 1 or len(items) < 2:
        for item in items:
            work(item)
        return
    with ThreadPoolExecutor(at_once) as pool:
        begun = [pool.submit(work, item) for item in items]
        try:
            done, _ = wait(begun, return_when=FIRST_EXCEPTION)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        pool.shutdown(cancel_futures=True)
    for each in done:
        each.result()


def absent(there: Connection, files: Iterable[LedgerFile]) -> set[str]:
    """Return the paths of the files that a remote does not hold; see `sent`."""
    wanted = {file.path for file in files}
    kinds = sorted({path.partition("/")[0] for path in wanted})
    for kind in kinds:
        found = there.names(kind)
        if found is None:
            return wanted
        wanted -= {*found}
    return wanted


def sent(
    here: Repository,
    there: Connection,
    files: Sequence[LedgerFile],
    watch: Progress,
) -> Traffic:
    """Send the files that a remote does not hold yet; each is checked before.

    Raises:
        IntegrityError: A file of the own ledger is damaged; names it.
        RemoteError: The remote cannot be written to.
    """
    is_listed = len(files) > _MANY
    unasked = there.store.unasked
    missing = absent(there, files) if is_listed else {file.path for file in files}
    sizes: list[int] = []
    watch.stage("send", len(missing))

    def send(file: LedgerFile) -> None:
        data = here.file(file)
        is_new = is_listed or len(data) <= unasked
        if is_new or not there.holds(file.path, len(data)):
            there.write(file.path, data)
            sizes.append(len(data))
        watch.advance(1, {})

    unsent = [file for file in files if file.path in missing]
    each_of(unsent, send, at_once=there.store.at_once)
    return Traffic(len(sizes), sum(sizes))
