"""Pieces of HTML in which every text is escaped."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Final

from unlearnlog.core.visible import visible
from unlearnlog.report.formatting import MARK

if TYPE_CHECKING:
    from unlearnlog.errors import UnlearnlogError
    from unlearnlog.findings.report_parts import Word

NOTHING: Final = '<p class="ul-note">Nothing is recorded yet.</p>'


def text(value: object) -> str:
    """Return a value as text in HTML: no markup, control characters spelt out."""
    return html.escape(visible(str(value)))


def note(value: object) -> str:
    """Return a remark in small print."""
    return f'<p class="ul-note">{text(value)}</p>'


def verdict(word: Word, title: str, *details: str) -> str:
    """Return a verdict with its sign, so that colour alone says nothing.

    Args:
        word: The verdict.
        title: Its sentence.
        details: Sentences below it; empty ones are left out.
    """
    below = "".join(f"<p>{text(each)}</p>" for each in details if each)
    return (
        f'<section class="ul-verdict ul-{word}" role="status">'
        f'<h2><span class="ul-mark" aria-hidden="true">{MARK[word]}</span>'
        f"{text(title)}</h2>{below}</section>"
    )


def refusal(error: UnlearnlogError) -> str:
    """Return an error with what to do next."""
    return (
        '<section class="ul-verdict ul-failed" role="alert">'
        f'<h2><span class="ul-mark" aria-hidden="true">{MARK["failed"]}</span>'
        f"{text(error.message)}</h2><p>What to do: {text(error.fix)}</p></section>"
    )


def facts(rows: Mapping[str, str]) -> str:
    """Return names and values, one pair a row."""
    pairs = (f"<dt>{text(k)}</dt><dd>{text(v)}</dd>" for k, v in rows.items())
    return f'<dl class="ul-facts">{"".join(pairs)}</dl>'


def table(head: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> str:
    """Return a table.

    Args:
        head: Titles of the columns.
        rows: Cells of each row.
        title: A heading; empty for none.
    """
    above = f"<caption>{text(title)}</caption>" if title else ""
    titles = "".join(f'<th scope="col">{text(each)}</th>' for each in head)
    lines = (
        f"<tr>{''.join(f'<td>{text(cell)}</td>' for cell in row)}</tr>" for row in rows
    )
    return (
        f'<div class="ul-wide"><table class="ul-table">{above}<thead><tr>{titles}</tr>'
        f"</thead><tbody>{''.join(lines)}</tbody></table></div>"
    )


def picture(kind: str, data: bytes, says: str) -> str:
    """Return a picture that is part of the page.

    Args:
        kind: Its media type, such as ``image/png``.
        data: Its bytes.
        says: The text for those who do not see it.
    """
    code = b64encode(data).decode("ascii")
    return f'<img alt="{text(says)}" src="data:{kind};base64,{code}">'
