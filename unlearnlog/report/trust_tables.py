"""Tables of signatures, of blame, and of who made how many entries."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from rich.console import Group
from rich.table import Table

from unlearnlog.core.reading_registry import meaning_of
from unlearnlog.report.fitted_table import FittedTable
from unlearnlog.report.plain_console import as_text

if TYPE_CHECKING:
    from unlearnlog.commands.blame import Blame, BlameLine
    from unlearnlog.commands.shortlog import Share
    from unlearnlog.commands.signatures import Verification
    from unlearnlog.ledger.entry_standing import Standing

_SAID: Final = {
    "good": "good",
    "tag": "vouched for by the tag {}",
    "unknown": "signed with a key that is not allowed",
    "bad": "the signature is of something else",
    "unsigned": "not signed",
}


def standings_table(found: Verification) -> Table:
    """Return a row for each entry, newest first: its signature, signers and keys."""
    table = FittedTable("entry", "signature", "signed by", "key")
    rows = [*found.entries[::-1]]
    for each in (found.tag, *rows) if found.tag else rows:
        name = each.entry[:12] if each.entry else "base"
        is_tag = each is found.tag
        table.add_row(f"tag {each.tag}" if is_tag else name, *_standing(each))
    return table


def _standing(each: Standing) -> tuple[str, str, str]:
    said = _SAID[each.word].format(each.tag)
    return said, ", ".join(each.signers), ", ".join(each.keys)


def blame_table(found: Blame) -> Group:
    """Return a row for each entry that moved a concept, oldest first."""
    table = FittedTable("entry", "what", "it was", "before", "after", "change", "by")
    for line in found.lines:
        what = f"{line.kind} {', '.join(line.names)}"
        numbers = _numbers(line)
        table.add_row(line.entry[:12], what, line.role, *numbers, line.author)
    title = meaning_of(found.reading).called
    head = f"{title} of {found.concept}; ? where chance alone could explain the change"
    return Group(as_text(head), table)


def _numbers(line: BlameLine) -> tuple[str, str, str]:
    shown = ["" if n is None else f"{n:.3f}" for n in (line.before, line.after)]
    if line.change is None:
        return shown[0], shown[1], ""
    return shown[0], shown[1], f"{line.change:+.3f}{'' if line.is_sure else '?'}"


def share_lines(shares: Sequence[Share]) -> Iterator[str]:
    """Yield each person with the number of entries, then the entries, as git does."""
    for share in shares:
        yield f"{share.who} ({share.n}):"
        yield from (f"  {name[:12]} {subject}" for name, subject in share.entries)
