"""Entries as commands record them, of readings that were made up; their screens."""

from __future__ import annotations

import io

from tests.histories import shown, step
from unlearnlog.core.doubt import EARLIER
from unlearnlog.core.entry import Entry
from unlearnlog.core.reading import Reading
from unlearnlog.core.reading_registry import MEANINGS
from unlearnlog.core.verdict_record import VerdictRecord
from unlearnlog.policy import Policy
from unlearnlog.probes.statistics import share
from unlearnlog.report.plain_console import PlainConsole
from unlearnlog.report.screenful import Screenful

DEFAULT = Policy.load("default")
KEPT = ("Braque", "Monet", "Renoir", "cat", "dog")


def read(probe, concept="Picasso", hits=96, n=96, *, base=None):
    """Return a share as a probe reads it, of pictures that were never painted."""
    found, better = share(hits, n), MEANINGS[probe].better
    return Reading(
        probe=probe,
        concept=concept,
        value=found.value,
        unit="share",
        n=n,
        low=found.low,
        high=found.high,
        better="none" if better == "either" else better,
        base=base,
    )


def number(probe, concept, value, *, n=16, base=None, spread=0.1):
    """Return a number in the unit that the registry has for it."""
    better = MEANINGS[probe].better
    return Reading(
        probe=probe,
        concept=concept,
        value=value,
        unit=MEANINGS[probe].unit,
        n=n,
        low=value - spread,
        high=value + spread,
        better="none" if better == "either" else better,
        base=base,
    )


def about(name="Picasso"):
    """Return what is read of one erased concept where all is well."""
    return (
        read("ua", name, base=0.0),
        read("ua.alias", name, 92, 92, base=0.0),
        read("alike", name, 95, base=1.0),
        read("lands.subject", name, base=0.99),
        read("lands.anchor", name, 94),
        read("lands.reject", name, 0, base=0.0),
        shown(name, 0, erased=True),
    )


def everything_else(names=KEPT, *, about="Picasso"):
    """Return what is read of what is kept where all is well."""
    return (
        read("ira", about, 256, 256, base=1.0),
        read("cra", about, 254, 256, base=0.99),
        *(shown(name, 16, 16) for name in names),
        number("drift", "(kept)", 0.11, base=0.0),
        number("drift", "(empty prompt)", 0.03, base=0.0),
    )


def earlier(*back, of=("Klimt", "Warhol")):
    """Return what is read of what was erased earlier, some of which came back."""
    each = [number("resurgence", n, 0.5 if n in back else 0.0) for n in of]
    found = number("resurgence.found", EARLIER, float(len(back)), n=len(of), spread=0)
    return (*each, number("resurgence", EARLIER, 0.02), found)


def entry_of(
    readings, *, names=("Picasso",), policy=DEFAULT, accepted=False, **changed
):
    """Return the entry that these readings come to under a policy."""
    said = policy.verdict(readings)
    accepts = {"accepts_doubt": accepted, "accepts_failure": accepted}
    verdict = VerdictRecord.of(said.failures, said.undecided, **accepts)
    fields = {"policy": policy.name, "rules": policy.rules, **changed}
    return step(1, names, [], readings, verdict, **fields).entry


def screen(entry: Entry, *, width=80, said="Picasso is erased", **more):
    """Return the lines of an entry's screen on a terminal of so many characters."""
    console = PlainConsole(force_terminal=False)
    console.file, console.width = io.StringIO(), width
    mates = {"Picasso": "Braque", "cat": "dog"}
    console.print(Screenful(entry, said, mates.get, **more))
    return console.file.getvalue().splitlines()
