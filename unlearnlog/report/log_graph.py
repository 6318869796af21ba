"""The tree of ``log --graph``, with a lane for each line of history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import shorten
from typing import TYPE_CHECKING, Final

from rich.text import Text

from unlearnlog.core.active import deed
from unlearnlog.findings.judgement import listed
from unlearnlog.report.formatting import OUTCOME

if TYPE_CHECKING:
    from unlearnlog.core.entry import Entry, EntryId

_ROOM: Final = 60  # letters of date, reference and reason

_COLOURS: Final = ("cyan", "magenta", "yellow", "green", "blue", "red")


def graph_lines(
    entries: Mapping[EntryId, Entry],
    refs: Mapping[str, EntryId | None],
    head: str,
) -> list[Text]:
    """Return a line for each entry, newest first, and the base below them.

    Every entry stands above its parent. Where several lanes lead to one entry, a line
    above it joins them.

    Args:
        entries: Entries that can be reached from any ref.
        refs: Entry by ref, such as ``heads/main``; None for the base.
        head: The ref of HEAD.
    """
    names = _names(refs, head)
    waiting: list[EntryId | None] = []
    drawn: list[Text] = []
    for entry_id in (*_newest_first(entries), None):
        if entry_id not in waiting:
            waiting.append(entry_id)
        mine = [i for i, wanted in enumerate(waiting) if wanted == entry_id]
        drawn += _meeting(waiting, mine)
        for i in reversed(mine[1:]):
            del waiting[i]
        lane = mine[0]
        line = _rails(len(waiting), at=lane)
        entry = entries[entry_id] if entry_id else None
        line.append(f" {entry_id[:12] if entry_id else 'base'}", style="bold")
        if entry is not None:
            line.append(f" {entry.kind} {deed(entry, entries)}")
            if (word := OUTCOME[listed(entry)]) != "passed":
                line.append(f" [{word}]", style="yellow")
            line.append(_note(entry), style="dim")
        if entry_id in names:
            line.append(f" ({', '.join(names[entry_id])})", style="green")
        drawn.append(line)
        if entry is not None:
            waiting[lane] = entry.parent
    return drawn


def _note(entry: Entry) -> str:
    """Return date, reference and reason, cut to the room of a line."""
    text = entry.note.text if entry.note else ""
    note = " ".join(filter(None, (entry.date[:10], text)))
    return f" {shorten(note, _ROOM, placeholder='…')}" if note else ""


def _newest_first(entries: Mapping[EntryId, Entry]) -> Sequence[EntryId]:
    """Return the entries, newest first, each before its parent."""
    depth: dict[EntryId | None, int] = {None: 0}
    for entry_id in entries:
        chain: list[EntryId] = []
        at: EntryId | None = entry_id
        while at not in depth:
            assert at is not None  # the base has a depth
            chain.append(at)
            at = entries[at].parent
        for steps, each in enumerate(reversed(chain), depth[at] + 1):
            depth[each] = steps

    def age(entry_id: EntryId) -> tuple[int, str, str]:
        made = entries[entry_id].made_with.get("created", "")
        return depth[entry_id], made, entry_id

    return sorted(entries, key=age, reverse=True)


def _names(
    refs: Mapping[str, EntryId | None], head: str
) -> dict[EntryId | None, list[str]]:
    """Return the refs of each entry; HEAD's branch first, tags last."""
    found: dict[EntryId | None, list[str]] = {}
    for ref, entry in sorted(refs.items(), key=lambda item: (item[0] != head, item[0])):
        folder, _, name = ref.partition("/")
        word = f"tag {name}" if folder == "tags" else name
        word = f"HEAD -> {word}" if ref == head else word
        found.setdefault(entry, []).append(word)
    return found


def _rails(n: int, *, at: int) -> Text:
    """Return n lanes, with an entry in one of them."""
    line = Text()
    for i in range(n):
        line.append("* " if i == at else "| ", style=_COLOURS[i % len(_COLOURS)])
    line.rstrip()
    return line


def _meeting(waiting: Sequence[object], mine: Sequence[int]) -> list[Text]:
    """Return the line that joins the lanes of an entry; none for one lane."""
    if len(mine) < 2:
        return []
    line = Text()
    for i in range(len(waiting)):
        sign = "/ " if i in mine[1:] else "| "
        line.append(sign, style=_COLOURS[i % len(_COLOURS)])
    return [line]
