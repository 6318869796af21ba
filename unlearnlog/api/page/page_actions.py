"""The answers of the page: ledger in, HTML out.

Each answer is a text of HTML. An error of the user is an answer as well: what failed,
and what to do next.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Concatenate, Final, ParamSpec

from unlearnlog.api.page.history_view import (
    MOST,
    base_view,
    entry_view,
    log_view,
    state_view,
)
from unlearnlog.api.page.page_markup import (
    facts,
    note,
    picture,
    refusal,
    table,
    text,
    verdict,
)
from unlearnlog.api.page.painting_view import pairs_view
from unlearnlog.core.active import deed
from unlearnlog.core.redaction import redacting
from unlearnlog.core.resources import policy_folder
from unlearnlog.core.visible import visible
from unlearnlog.errors import PolicyError, UnlearnlogError, UsageError
from unlearnlog.findings.judgement import listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from unlearnlog.api import Ledger
    from unlearnlog.core.concept import Concept
    from unlearnlog.core.entry import EntryId
    from unlearnlog.core.progress import Progress

P = ParamSpec("P")

MOST_PICTURES: Final = 8
"""Pairs that one request may paint."""

KINDS: Final = ("", "style", "subject")
"""Kinds of a new concept; empty for a name that is known."""


@dataclass
class PageProgress:
    """A receiver of progress that tells a share and a text.

    Attributes:
        tell: Receives the share of the stage, in [0, 1], and the stage's name.
    """

    tell: Callable[[float, str], object]
    _name: str = ""
    _total: int = 1
    _done: int = 0

    def stage(self, name: str, total: int) -> None:
        """Begin a stage of ``total`` units."""
        self._name, self._total, self._done = visible(name), max(total, 1), 0
        self.tell(0.0, self._name)

    def advance(self, units: int, numbers: Mapping[str, float]) -> None:  # noqa: ARG002
        """Tell how much of the stage is done."""
        self._done += units
        self.tell(min(self._done / self._total, 1.0), self._name)


def _answered(
    action: Callable[Concatenate[PageActions, P], str],
) -> Callable[Concatenate[PageActions, P], str]:
    """Make an error of an action its answer, and redact names as of now.

    A page is open for long, and may be served from Python.
    """

    @wraps(action)
    def answer(page: PageActions, /, *given: P.args, **named: P.kwargs) -> str:
        try:
            with redacting(page.ledger.redaction):
                try:
                    return action(page, *given, **named)
                except UnlearnlogError as error:
                    return refusal(error)
        except UnlearnlogError as error:  # of the redactions
            return refusal(error)

    return answer


@dataclass(frozen=True)
class PageActions:
    """The answers of the page.

    Attributes:
        ledger: The ledger that is shown.
    """

    ledger: Ledger

    def revisions(self) -> list[tuple[str, str]]:
        """List the newest revisions: a text and an id each.

        Entries of HEAD's history come first, then those of other branches; ``base`` is
        the last. Older ones can be typed.
        """
        known = self.ledger.tree()
        mine = [entry.id for entry in self.ledger.log()]
        others = [each for each in known if each not in {*mine}]

        def said(each: EntryId) -> str:
            entry = known[each]
            return visible(f"{each[:12]} {entry.kind} {deed(entry, known)}")

        with redacting(self.ledger.redaction):
            named = [(said(each), each) for each in (*mine, *others)[:MOST]]
        return [*named, ("base", "base")]

    @staticmethod
    def policies() -> list[str]:
        """List the policies that ship; the first is empty, for the configuration's."""
        return ["", *sorted(each.stem for each in policy_folder().glob("*.toml"))]

    @_answered
    def state(self) -> str:
        """Show the verdict on HEAD and what is erased there."""
        newest = self.ledger.log()
        return state_view(self.ledger.status(), newest[0] if newest else None)

    @_answered
    def history(self) -> str:
        """List the history with its readings."""
        return log_view(self.ledger.entries())

    @_answered
    def entry(self, rev: str) -> str:
        """Show an entry with all of its readings."""
        from unlearnlog.core.entry import Entry

        found = self.ledger.show(rev or "HEAD")
        if not isinstance(found, Entry):
            return base_view(found)
        return entry_view(found, deed(found, self.ledger.tree()))

    @_answered
    def graph(self, rev: str, watch: Progress | None = None) -> str:
        """Draw the concept graph of a revision, with a table of the same."""
        from unlearnlog.report.graph_drawing import caption, graph_picture

        drawing = self.ledger.graph(rev or "HEAD", watch=watch).drawing
        last = {each.concept: each for each in drawing.harm[-1]} if drawing.harm else {}
        rows = [
            (node.name, node.kind, node.family, caption(last.get(node.name)))
            for node in drawing.nodes
        ]
        drawn = picture(
            "image/svg+xml", graph_picture(drawing, "svg"), "The concept graph"
        )
        listing = table(("concept", "kind", "family", "after the entry"), rows)
        return (
            f'<figure class="ul-graph">{drawn}</figure>'
            f"<details><summary>The same as a table</summary>{listing}</details>"
        )

    @_answered
    def paint(
        self, prompt: str, rev: str, n: int, seed: int, watch: Progress | None = None
    ) -> str:
        """Paint base and revision from the same latents, side by side."""
        shown, count, first = rev or "HEAD", _number(n), _number(seed)
        if not prompt.strip():
            raise UsageError("no prompt is given", fix="write what to paint")
        if not 1 <= count <= MOST_PICTURES:
            raise UsageError(
                f"{count} pictures cannot be painted at once",
                fix=f"choose 1 to {MOST_PICTURES}",
            )
        if first < 0:
            raise UsageError(f"{first} is no seed", fix="type 0 or more")
        painted = self.ledger.pictures(
            prompt, "base", shown, n=count, seed=first, watch=watch
        )
        short = shown[:12] if shown in self.ledger.tree() else shown
        return pairs_view(prompt, short, painted, first)

    @_answered
    def forecast(
        self, name: str, kind: str, policy: str, watch: Progress | None = None
    ) -> str:
        """Count and time an erasure; nothing is written."""
        from unlearnlog.api.dry_runs import DryRuns
        from unlearnlog.report.cost_rows import cost_rows

        concept, chosen = self._asked(name, kind, policy)
        cost = DryRuns(self.ledger, watch).add(concept, policy=chosen)
        title = f"Erasing {concept.name} would take"
        return (
            f'<section class="ul-dry"><h3>{text(title)}</h3>'
            f"{facts(cost_rows(cost, None))}"
            f"{note('A dry run: nothing was written.')}</section>"
        )

    @_answered
    def erase(
        self,
        name: str,
        again: str,
        kind: str,
        policy: str,
        watch: Progress | None = None,
    ) -> str:
        """Erase a concept and record it, if its name was typed twice."""
        concept, chosen = self._asked(name, kind, policy)
        if again != name:
            raise UsageError(
                f"“{again}” is not “{name}”: nothing was written"
                if again
                else "the name was not typed again: nothing was written",
                fix="type the concept's name again, letter for letter",
            )
        entry = self.ledger.add(concept, policy=chosen, watch=watch).entry
        word = listed(entry)
        title = f"{concept.name} is erased"
        doubt = title if word == "passed" else f"{title}, in doubt"
        unmet = (*entry.verdict.failures, *entry.verdict.undecided)
        back = f"Take it back: unlearnlog revert {entry.id[:12]}"
        return verdict(word, doubt, *unmet, f"Recorded as {entry.id[:12]}.", back)

    @_answered
    def report(self, rev: str, n: int, watch: Progress | None = None) -> str:
        """Show the report of a revision in a frame that can reach nothing."""
        from unlearnlog.report.html_page import html as page

        found = self.ledger.report(
            rev or "HEAD", pictures=max(0, _number(n)), watch=watch
        )
        return (
            '<iframe class="ul-report" title="The report" sandbox="allow-scripts" '
            f'srcdoc="{html.escape(page(found))}"></iframe>'
        )

    def _asked(self, name: str, kind: str, policy: str) -> tuple[Concept, str]:
        """Return the concept and the policy of a request, checked.

        Raises:
            ConceptError: The name cannot name a concept.
            PolicyError: The policy is not one of those that ship.
            UsageError: There is no name.
        """
        if not name:
            raise UsageError("no concept is named", fix="type its name")
        if policy not in self.policies():
            known = ", ".join(filter(None, self.policies()))
            raise PolicyError(f"no policy '{policy}' ships", fix=f"choose of {known}")
        return self.ledger.concept(name, kind), policy


def _number(value: float) -> int:
    """Return a number of a form as a whole one.

    Raises:
        UsageError: It is none.
    """
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError) as error:
        raise UsageError(
            f"{value!r} is no whole number", fix="type one, such as 0"
        ) from error
