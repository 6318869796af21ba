"""``python -m tests.workers.job FOLDER WORKERS [kill]``: who computes a small model.

It prints what was recorded and read, without its own provenance, as canonical JSON.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from PIL import Image

from tests.golden.held import HERE
from tests.tiny import build_pipeline
from unlearnlog.api import Ledger
from unlearnlog.core.digest import canonical_json
from unlearnlog.core.entry import Entry
from unlearnlog.core.progress import NoProgress
from unlearnlog.workers.executor import COMPUTED_BY

POLICY = """
name = "job"
judge = "base"
[eraser]
name = "ridge"
[sampling]
steps = 2
guidance = 2.0
[require]
base_presence = 0.0
[probes]
erased = 9
renamed = 0
family = 0
alike = 0
kept = 3
kept_share = 0.5
earlier = 1
information = 20
nodes = 1
[audit]
closer = 1
"""


class Killer(NoProgress):
    """Kills a busy worker when the first result comes."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger, self.n_killed = ledger, 0

    def advance(self, units: int, numbers: Any) -> None:
        """Kill one that is at work, once."""
        import ray

        del units, numbers
        crew: Any = self.ledger.place.crew
        busy = [hand for hand in crew._hands if hand.job is not None]
        if busy and not self.n_killed:
            self.n_killed += 1
            ray.kill(busy[0].worker._actor)


def main(folder: str, workers: str, kill: str = "") -> None:
    """Erase, probe, audit, fine-tune, attack and revert."""
    place = Path(folder)
    base = build_pipeline(place / "base")
    policy, pictures = place / "job.toml", place / "pictures"
    policy.write_text(POLICY)
    pictures.mkdir()
    Ledger.init(place / "ledger", str(base))
    concepts = HERE / "concepts.toml"
    ledger = Ledger.open(place / "ledger", concepts=concepts, workers=workers)
    height, width, _ = ledger.place.model.picture_shape
    for i in range(4):
        Image.new("RGB", (width, height), (60 * i, 20, 200)).save(pictures / f"{i}.png")
        (pictures / f"{i}.txt").write_text("a dog")
    watch = Killer(ledger) if kill else NoProgress()
    told: dict[str, Any] = {"policy": str(policy), "watch": watch}
    ledger.add("Picasso", accept_undecided=True, **told)
    read = ledger.probe(policy=str(policy), fresh=True)
    ledger.audit(base, record=True, accept_undecided=True, **told)
    tuned = ledger.finetune(pictures, steps=2, batch=2, seeds=(0, 1), **told)
    ledger.attack(attacks=["inversion"], record=True, **told)
    ledger.revert("HEAD~2", accept_failures=True, **told)
    entries = ledger.entries()
    found = {
        "entries": [without_provenance(entry) for entry in entries],
        "probe": [reading.row() for reading in read],
        "finetune": [repr(course.curves) for course in tuned.courses],
        "losses": [repr(course.losses) for course in tuned.courses],
    }
    sys.stdout.write(canonical_json(found).decode())
    recorded = entries[0].made_with.get(COMPUTED_BY, "here")
    deaths = getattr(ledger.place.crew, "deaths", 0)
    sys.stderr.write(f"\n{recorded}\ndeaths: {deaths}\n")
    ledger.close()


def without_provenance(entry: Entry) -> dict[str, Any]:
    """Return an entry without time, versions, workers and the ids that follow."""
    row = entry.model_dump(mode="json")
    for name in ("made_with", "seconds", "parent", "note"):
        row.pop(name, None)
    row["eraser"]["settings"].pop("at", None)
    row["changes"] = [{**c, "entry": ""} for c in row["changes"]]
    return row


if __name__ == "__main__":
    main(*sys.argv[1:])
