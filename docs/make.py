"""Rewrite what a program can know in the documents: help texts, registries, figures.

The table of what erasers' settings may be is written with them.

``python docs/make.py`` rewrites; ``python docs/make.py --check`` says what is stale;
``python docs/make.py --record`` first runs the demo again, for its transcript and its
picture. A block stands between ``<!-- begin NAME -->`` and ``<!-- end -->``.
"""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

# Both are found beside this folder, so they come after the path is set.
from aims import aims_table  # noqa: E402
from attacks import attacks_table  # noqa: E402
from commands import commands_text  # noqa: E402
from conformance import conformance_table  # noqa: E402
from duels import duels_table, worst_of  # noqa: E402
from edges import (  # noqa: E402
    chains_table,
    edges_table,
    tiers_table,
    unique_table,
)
from families import families_table, full_size_table  # noqa: E402
from finetunes import (  # noqa: E402
    beyond_chance,
    courses_table,
    early_table,
    forecasts_table,
    overview_table,
    survival_table,
)
from glyph_confusions import (  # noqa: E402
    glyph_confusions_table,
    glyph_verdicts_said,
)
from glyph_tables import (  # noqa: E402
    glyph_erasers_table,
    glyph_hundred_table,
    glyph_kinds_table,
    glyph_quality_table,
    glyph_sixty_table,
    glyph_words_table,
)
from growth import growth_table  # noqa: E402
from knobs import knobs_text  # noqa: E402
from many_names import many_said  # noqa: E402
from peers import peers_table  # noqa: E402
from policy_tables import fields_table, policy_file, shipped_table  # noqa: E402
from readings import readings_table  # noqa: E402
from sequences import sequences_table  # noqa: E402

from benchmarks.suite import RESULTS, Suite  # noqa: E402
from recipes.glyphs.weight_files import digest_of_weights  # noqa: E402
from unlearnlog.core.concept import concept_id  # noqa: E402
from unlearnlog.core.reading_registry import MEANINGS  # noqa: E402
from unlearnlog.erasers.setting_table import TABLE  # noqa: E402

SHOWN: Final = ROOT / "docs" / "results"
"""Pictures and transcripts that the documents show."""

WEIGHTS: Final = ROOT / "unlearnlog" / "atelier" / "weights"
GLYPHS: Final = ROOT / "unlearnlog" / "glyphs" / "weights"
GLYPH_QUALITY: Final = GLYPHS / "quality.json"
DOCUMENTS: Final = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
BLOCK: Final = re.compile(r"(<!-- begin (.+?) -->\n)(.*?)(<!-- end -->)", re.DOTALL)
NOT_BIG: Final = "Not measured yet: `python -m benchmarks.full_size` does it."
NOT_YET: Final = "Not measured on these weights yet: `make bench` does it."
NOT_DRAWN: Final = "Not measured on these weights yet: `make glyphs` does it."
NOT_CONFUSED: Final = (
    "Not measured on these weights yet: `python -m recipes.glyphs confusions` does it."
)
NOT_LOOKED_AT: Final = (
    "Not painted with these weights yet: `python -m benchmarks.glyph_sheet` does it."
)
NOT_LATE: Final = "Not measured yet: `make late`, then `python -m benchmarks.late`."
NOT_GROWN: Final = "Not measured yet: `python -m benchmarks.growth` does it."
NOT_TUNED: Final = "Not measured yet: `make audit` does it."


def main() -> None:
    """Rewrite or check every document."""
    if "--record" in sys.argv:
        _record()
    stale = []
    for document in (*DOCUMENTS, TABLE):
        old = document.read_text(encoding="utf-8")
        new = _anew(document, old)
        if new != old:
            stale.append(document.name)
            if "--check" not in sys.argv:
                document.write_text(new, encoding="utf-8")
    if stale and "--check" in sys.argv:
        sys.exit(f"stale: {', '.join(stale)}; run: python docs/make.py")


def _anew(document: Path, old: str) -> str:
    """Return what a document says of today's program and results."""
    if document == TABLE:
        return knobs_text()
    return BLOCK.sub(lambda m: f"{m[1]}{_block(m[2])}\n{m[4]}", old)


def _record() -> None:
    """Run the demo in an empty folder and keep what it says and what it paints."""
    add = ["add", "Picasso"]
    words = ["a painting of a cat by Picasso", "--at", "base", "--at", "HEAD"]
    with tempfile.TemporaryDirectory() as folder:
        said = _typed(add, folder)
        _typed(["paint", *words, "-o", "before-after.png"], folder)
        shutil.copy(Path(folder) / "before-after.png", SHOWN / "before-after.png")
    text = f'$ unlearnlog add "Picasso"\n{said}'
    (SHOWN / "demo.txt").write_text(text, encoding="utf-8")


def _typed(words: list[str], folder: str) -> str:
    """Run one command in a folder and return what it says on standard output."""
    env = {**os.environ, "COLUMNS": "88", "PYTHONPATH": str(ROOT), "PWD": folder}
    done = subprocess.run(
        [sys.executable, "-m", "unlearnlog", *words],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        cwd=folder,
        env=env,
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def _block(name: str) -> str:
    kind, _, rest = name.partition(" ")
    return BLOCKS[kind](rest)


def _transcript(name: str) -> str:
    text = (SHOWN / f"{name}.txt").read_text(encoding="utf-8").rstrip()
    return f"```text\n{text}\n```"


def _example(name: str) -> str:
    text = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8").rstrip()
    return f"```python\n{text}\n```"


def _cells(suite: str) -> Mapping[str, Mapping[str, Any]]:
    """Return what was measured of a suite, by name."""
    return Suite.called(suite).cells()


def _cell(suite: str) -> Mapping[str, Any] | None:
    """Return the one cell of a suite; None where it is not measured."""
    return _cells(suite).get(suite)


def _are_measured(*names: str) -> bool:
    return _cells("alone").keys() >= {*names}


def _rows(name: str) -> list[dict[str, Any]]:
    """Return the entries of one measured history."""
    rows: list[dict[str, Any]] = _cells("alone")[name]["rows"]
    return rows


def _is_measured(name: str) -> bool:
    return (RESULTS / f"{name}.json").exists()


def _alone(which: str) -> str:
    """Return one row for each erasure of one concept: those named, or all of a target.

    Args:
        which: ``anchor`` and the like for every concept, ``compared`` for the concepts
            that were erased with each target.
    """
    entries = []
    for found in map(_rows, _cells("alone")):
        if len(found) == 1 and len(found[0].get("concepts", ())) == 1:
            entries.append(found[0])
    targets: dict[str, set[str]] = {}
    for entry in entries:
        name, target = entry["concepts"][0]["name"], entry["eraser"]["target"]
        targets.setdefault(name, set()).add(target)
    if which == "compared":
        chosen = [e for e in entries if len(targets[e["concepts"][0]["name"]]) > 1]
    else:
        chosen = [e for e in entries if e["eraser"]["target"] == which]
    own = {name: each.short for name, each in MEANINGS.items()}
    columns = (
        f"concept | target | {own['ua']} | {own['ua.alias']} | {own['ira']} / base | "
        f"{own['cra']} / base | beside it / base | {own['lands.anchor']} | "
        f"{own['lands.reject']} | {own['alike']} / base | worst kept / base | "
        f"{own['family.erased']} | {own['judge-mi']} | {own['bound-mi']}"
    )
    head = [f"| {columns} |", "|---|---|" + "--:|" * 12]
    return "\n".join([*head, *(_row(entry) for entry in chosen)])


def _row(entry: dict[str, Any]) -> str:
    from unlearnlog.atelier.bundled_concepts import world

    found = {r["probe"]: r for r in entry["readings"] if r["probe"] != "presence"}
    name = entry["concepts"][0]["name"]
    mate = world().look_alike(name)
    presence = [r for r in entry["readings"] if r["probe"] == "presence"]
    kept = [r for r in presence if r["concept"] not in (name, mate)]
    beside = found.get("lands.subject") or found["lands.style"]
    alike = found.get("alike")
    cells = [
        name,
        entry["eraser"]["target"],
        _interval(found["ua"]),
        f"{found['ua.alias']['value']:.3f}" if "ua.alias" in found else "",
        f"{_of_base(found['ira']):.3f}",
        f"{_of_base(found['cra']):.3f}",
        f"{_of_base(beside):.3f}",
        f"{found['lands.anchor']['value']:.3f}",
        f"{found['lands.reject']['value']:.3f}",
        f"{mate} {_of_base(alike):.3f}" if alike else "none known",
        worst_of(kept, _of_base),
        _change(found.get("family.erased")),
        _change(found["judge-mi"]),
        _change(found["bound-mi"]),
    ]
    return "| " + " | ".join(cells) + " |"


def _change(reading: dict[str, Any] | None) -> str:
    """Return what it was and what it is; nothing for no reading."""
    if reading is None:
        return ""
    before, after = (f"{reading[key]:.2f}" for key in ("base", "value"))
    return f"{before} to {'0.00' if after == '-0.00' else after}"


def _summary(_: str) -> str:
    """Say in a few lines what erasing every concept alone came to."""
    from unlearnlog.atelier.bundled_concepts import world

    seen = world()
    names = [*seen.styles, *seen.subjects]
    stems = [f"{concept_id(name)}-anchor" for name in names]
    if not _are_measured(*stems):
        return NOT_YET
    found = [
        {r["probe"]: r for r in _rows(stem)[0]["readings"] if r["probe"] != "presence"}
        for stem in stems
    ]
    ua = [row["ua"]["value"] for row in found]
    rows = ["| over all | mean | lowest | which |", "|---|--:|--:|---|"]
    of_base = [
        (f"{MEANINGS[probe].short} / base", _values(found, probe, of_base=True))
        for probe in ("ira", "cra", "alike")
    ]
    for title, values in (
        (MEANINGS["ua"].short, ua),
        (MEANINGS["ua.alias"].short, _values(found, "ua.alias")),
        *of_base,
    ):
        there = [(v, n) for v, n in zip(values, names, strict=True) if v is not None]
        low, which = min(there)
        mean = sum(v for v, _ in there) / len(there)
        rows.append(
            f"| {title}, {len(there)} concepts | {mean:.3f} | {low:.3f} | {which} |"
        )
    styles = [row["judge-mi"] for row in found[: len(seen.styles)]]
    before, after = (sum(r[k] for r in styles) / len(styles) for k in ("base", "value"))
    rows += [
        "",
        f"Nats that a picture says of its style, to the base as judge, mean over "
        f"{len(styles)} styles (n = {styles[0]['n']} pictures each): {before:.3f} "
        f"before, of at most log {len(styles)} = {math.log(len(styles)):.3f}; "
        f"{abs(after):.3f} after, {100 * max(after, 0.0) / before:.1f} % of that.",
    ]
    return "\n".join(rows)


def _values(
    found: list[dict[str, Any]], probe: str, *, of_base: bool = False
) -> list[float | None]:
    readings = [row.get(probe) for row in found]
    return [
        None if r is None else _of_base(r) if of_base else float(r["value"])
        for r in readings
    ]


def _sequence(order: str) -> str:
    """Return one row a step of one order: UA of everything erased so far."""
    if not _are_measured(f"all-styles-{order}"):
        return NOT_YET
    rows = [
        "| step | erased | UA now | mean UA of earlier ones | lowest of them | "
        "resurgence | IRA / base | CRA / base |",
        "|--:|---|--:|--:|---|--:|--:|--:|",
    ]
    first: dict[str, float] = {}
    for i, entry in enumerate(_rows(f"all-styles-{order}"), 1):
        found = {r["probe"]: r for r in entry["readings"] if r["probe"] != "presence"}
        name = entry["concepts"][0]["name"]
        earlier = [
            (1 - r["value"], r["concept"], r["n"])
            for r in entry["readings"]
            if r["probe"] == "presence" and r["concept"] in first
        ]
        cells = ["", "", ""]
        if earlier:
            mean = sum(ua for ua, _, _ in earlier) / len(earlier)
            n = sum(n for _, _, n in earlier)
            back = sum(first[c] - ua for ua, c, _ in earlier) / len(earlier)
            low, which, _ = min(earlier)
            cells = [f"{mean:.3f} (n = {n})", f"{which} {low:.3f}", f"{back:+.3f}"]
        first[name] = found["ua"]["value"]
        rest = [f"{_of_base(found[p]):.3f}" for p in ("ira", "cra") if p in found]
        rows.append(
            f"| {i} | {name} | {_interval(found['ua'])} | {' | '.join(cells + rest)} |"
        )
    return "\n".join(rows)


def _judges(_: str) -> str:
    """Say how far the judge without a network agrees with the trained one."""
    data = _cell("judges")
    if data is None:
        return NOT_YET
    found = data["agreement"]
    states = len({row["state"] for row in data["rows"]})
    return (
        f"Rank correlation {found['rank_correlation']:.3f} "
        f"({found['low']:.3f} to {found['high']:.3f}, n = {found['n']} concepts x "
        f"states, {states} states, bootstrap over concepts); the same answer in "
        f"{100 * found['same_answer']:.1f} % of {found['n_pictures']} pictures."
    )


def _distances(_: str) -> str:
    """Return how far kept pictures moved as a set, for each erasure that was asked."""
    rows = [
        "| erased | FD | FD by chance | KID | KID by chance | n |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for name in (each for each in _cells("alone") if each.endswith("-anchor")):
        (entry,) = _rows(name)
        found = {r["probe"]: r for r in entry["readings"]}
        if "fd" in found:
            cells = [
                f"{found[p][key]:.4f} ({found[p]['low']:.4f} to {found[p]['high']:.4f})"
                if key == "value"
                else f"{found[p][key]:.4f}"
                for p in ("fd", "kid")
                for key in ("value", "base")
            ]
            erased, n = entry["concepts"][0]["name"], found["fd"]["n"]
            rows.append(f"| {erased} | {' | '.join(cells)} | {n} |")
    return "\n".join(rows) if len(rows) > 2 else NOT_YET


def _figure(_: str) -> str:
    """Draw the two orders anew if they changed; return the link to the picture."""
    names = [f"all-styles-{order}" for order in (1, 2)]
    if not _are_measured(*names):
        return NOT_YET
    from benchmarks.figures import digest_of_rows, draw_histories, source_of

    path, histories = SHOWN / "all-styles.png", [_rows(name) for name in names]
    if source_of(path) != digest_of_rows(histories):
        if "--check" in sys.argv:
            return "the figure is stale"
        draw_histories(histories, path)
    return "![What came back and what was kept, in both orders](results/all-styles.png)"


def _relearning(_: str) -> str:
    """Draw how fast concepts are learned again if that changed; return the link."""
    from benchmarks.figures import source_of
    from benchmarks.relearning import digest_of_lines, draw_relearning, lines_in

    cells = [*_cells("audit").values(), *_cells("late").values()]
    path, lines = SHOWN / "relearning.png", lines_in(cells)
    if not lines:
        return NOT_TUNED
    if source_of(path) != digest_of_lines(lines):
        if "--check" in sys.argv:
            return "the figure is stale"
        draw_relearning(lines, path)
    return "![How soon each concept shows again](results/relearning.png)"


def _batch(_: str) -> str:
    """Return one row for each concept of a batch, with what it cost below."""
    if not _are_measured("batch-of-five", "braque-anchor"):
        return NOT_YET
    (entry,) = _rows("batch-of-five")
    alone = _rows("braque-anchor")[0]["seconds"]  # with probes of the same sizes
    found = {(r["probe"], r["concept"]): r for r in entry["readings"]}
    read = (MEANINGS[name].short for name in ("ua", "lands.anchor", "bound-mi"))
    rows = [f"| concept | {' | '.join(read)} |", "|---|--:|--:|--:|"]
    for concept in entry["concepts"]:
        name = concept["name"]
        rows.append(
            f"| {name} | {_interval(found['ua', name])} | "
            f"{found['lands.anchor', name]['value']:.3f} | "
            f"{found['bound-mi', name]['value']:.2f} |"
        )
    ira, cra = (
        next(r for r in entry["readings"] if r["probe"] == name)
        for name in ("ira", "cra")
    )
    cost = (
        f"IRA {_of_base(ira):.3f} and CRA {_of_base(cra):.3f} of base. It took "
        f"{entry['seconds'] / alone:.1f} times as long as Braque alone."
    )
    return "\n".join([*rows, "", cost])


def _of_base(reading: dict[str, Any]) -> float:
    return float(reading["value"]) / float(reading["base"]) if reading["base"] else 0.0


def _interval(reading: dict[str, Any]) -> str:
    low, high, n = reading["low"], reading["high"], reading["n"]
    return f"{reading['value']:.3f} ({low:.3f} to {high:.3f}, n = {n})"


def _cost(_: str) -> str:
    """Return what a long history costs, each figure beside what it is measured by."""
    if not _is_measured("cost"):
        return "Not measured yet: `make cost` does it."
    data = json.loads((RESULTS / "cost.json").read_text(encoding="utf-8"))
    size, log, copy = data["size"], data["log_s"], data["copy_s"]
    out, append = data["checkout"], data["append_s"]
    cold = ", ".join(f"{r['ratio']:.1f} (entry {r['entry']})" for r in out["cold"])
    first, last = append["first"], append["last"]
    rows = [
        "| what | measured | beside |",
        "|---|--:|---|",
        f"| an entry on disk | {size['bytes_per_entry'] / 1e3:.0f} kB | "
        f"{100 * size['ratio']:.2f} % of {size['dense_bytes'] / 1e6:.1f} MB dense |",
        f"| `log --json`, the whole process | {log['median']:.2f} s | "
        f"{log['low']:.2f} to {log['high']:.2f} s, n = {log['n']} |",
        f"| reading and writing the tensors | {copy['median']:.2f} s | "
        f"{copy['low']:.2f} to {copy['high']:.2f} s, n = {copy['n']} |",
        f"| checking out, sums kept | {out['warm_median_ratio']:.2f} times that | "
        f"at worst {out['warm_worst_ratio']:.2f}, {len(out['warm'])} revisions |",
        f"| checking out, no sum kept | {cold} times that | once each |",
        f"| appending to {data['entries']} entries | "
        f"{1000 * last['median']:.0f} ms | {append['ratio']:.2f} times "
        f"{1000 * first['median']:.0f} ms, to a new ledger; n = {last['n']} each |",
    ]
    return "\n".join(rows)


def _painting(_: str) -> str:
    """Return how fast pictures are painted, beside the plain pipeline."""
    if not _is_measured("painting"):
        return "Not measured yet: `make painting` does it."
    data = json.loads((RESULTS / "painting.json").read_text(encoding="utf-8"))
    rows = [
        "| threads | batch | pictures per second | plain | ratio | of processor time "
        "| furthest, of 255 |",
        "|--:|--:|--:|--:|---|---|--:|",
    ]
    for row in data["rows"]:
        ratios = (row["ratio"], row["ratio_of_processor_time"])
        said = " | ".join(
            f"{r['median']:.2f} ({r['low']:.2f} to {r['high']:.2f}, n = {r['n']})"
            for r in ratios
        )
        mine = row["batch"] / row["seconds"]["median"]
        plain = row["batch"] / row["plain_seconds"]["median"]
        rows.append(
            f"| {row['threads']} | {row['batch']} | {mine:.1f} | {plain:.1f} | {said} "
            f"| {row['furthest_of_255']} |"
        )
    return "\n".join(rows)


def _refusals(_: str) -> str:
    """Return how long the mistakes take to be told."""
    if not _is_measured("refusals"):
        return "Not measured yet: `python -m benchmarks.refusals` does it."
    data = json.loads((RESULTS / "refusals.json").read_text(encoding="utf-8"))
    rows = ["| what is wrong | typed | s | lowest to highest |", "|---|---|--:|---|"]
    for what, row in data["refusals"].items():
        rows.append(
            f"| {what} | `{row['typed']}` | {row['median']:.2f} "
            f"| {row['low']:.2f} to {row['high']:.2f}, n = {row['n']} |"
        )
    dry = data["first_line"]
    said = (
        f"The first line of `{dry['typed']}` comes after {dry['median']:.2f} s "
        f"({dry['low']:.2f} to {dry['high']:.2f}, n = {dry['n']})."
    )
    return "\n".join([*rows, "", said])


def _scale(_: str) -> str:
    """Return what erasing many concepts at once takes, beside the same the slow way."""
    if not _is_measured("scale"):
        return "Not measured yet: `make scale` does it."
    data = json.loads((RESULTS / "scale.json").read_text(encoding="utf-8"))
    rows = [
        "| eraser | concepts | projections | s | the slow way, s | gap | own | "
        "drift | the slow way's | peak | of it the edit |",
        "|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|",
    ]
    for row in data["rows"]:
        fast, slow = row["fast"], row["slow"]
        cells = (
            f"{row['eraser']}",
            f"{row['n_concepts']}",
            f"{fast['n_projections']}",
            f"{fast['seconds']:.2f} ({fast['low']:.2f} to {fast['high']:.2f}, "
            f"n = {fast['n']}; at most {row['most_seconds']:g})",
            f"{slow['seconds']:.1f} ({row['ratio']:.0f} times)",
            f"{fast['gap']:.3f}",
            f"{fast['own']:.3f}",
            f"{fast['drift']:.3f}",
            f"{slow['drift']:.3f}",
            f"{fast['peak_bytes'] / 2**20:.0f} MiB",
            f"{fast['peak_increase_bytes'] / 2**20:.0f} MiB",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


@cache
def _listed_erasers() -> list[dict[str, Any]]:
    """Return what ``unlearnlog erasers --json`` says, asked once."""
    said: list[dict[str, Any]] = json.loads(_typed(["erasers", "--json"], str(ROOT)))
    return said


def _erasers(_: str) -> str:
    """Return one row an eraser, as ``unlearnlog erasers --json`` says it."""
    said = _listed_erasers()
    rows = [
        "| eraser | what it does | joint | needs | target | changes | strength "
        "| not as published | presets | source |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in said:
        settings = row["settings"]
        cells = (
            f"`{row['name']}`",
            row["says"],
            "yes" if row["joint"] else "",
            ", ".join(row["needs"]),
            settings["target"],
            row["touches"],
            f"`{row['strength']}` {settings[row['strength']]:g}",
            row["differs"],
            ", ".join(f"`{name}`" for name in row["presets"]),
            f"[{row['source'].rpartition('/')[2]}]({row['source']})",
        )
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join(rows)


def _presets() -> str:
    """Return every preset with each of its choices, and the line that it follows."""
    said = _listed_erasers()
    found = []
    for row in said:
        for name, preset in row["presets"].items():
            found.append(f"**`{row['name']}`, `preset={name}`.** {preset['says']}")
            differs = f" {preset['differs']}" if preset["differs"] else ""
            found[-1] += f" `{preset['code']}`.{differs}\n"
            for choice in preset["settings"]:
                value = json.dumps(choice["value"], ensure_ascii=False).strip('"')
                slot = f" ({choice['slot']}s)" if choice["slot"] else ""
                why = choice["why"]
                found.append(f"- `{choice['setting']}` {value}{slot}: {why}")
            found.append("")
    return "\n".join(found).rstrip()


def _model(_: str) -> str:
    figures = json.loads((WEIGHTS / "quality.json").read_text(encoding="utf-8"))
    rows = ["| judged on | style | subject | n |", "|---|--:|--:|--:|"]
    for key, title in (
        ("rendered", "rendered pictures"),
        ("decoded", "the same after encode and decode"),
        ("painted", "pictures the model paints"),
    ):
        part = figures[key]
        rows.append(
            f"| {title} | {part['style']:.3f} | {part['subject']:.3f} | {part['n']} |"
        )
    return "\n".join(rows)


def _glyph_model(_: str) -> str:
    """Return the figures of the model of real drawings, where a build has them."""
    if not GLYPH_QUALITY.exists():
        return "This build has no weights: `python -m recipes.glyphs all` makes them."
    return glyph_quality_table(json.loads(GLYPH_QUALITY.read_text(encoding="utf-8")))


def _glyph_confusions(_: str) -> str:
    """Return the judge's confusions, if they were counted on the weights that ship."""
    path = GLYPHS / "confusions.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    if found.get("weights") != digest_of_weights(GLYPHS):
        return NOT_CONFUSED
    return glyph_confusions_table(found)


def _glyph_verdicts(_: str) -> str:
    """Return what the sheet of verdicts shows, if these weights painted it."""
    cell = Suite.called("glyph-verdicts").cells().get("sheet", {})
    if cell.get("weights") != digest_of_weights(GLYPHS):
        return NOT_LOOKED_AT
    return glyph_verdicts_said(cell)


BLOCKS: Final[dict[str, Callable[[str], str]]] = {
    "transcript": _transcript,
    "commands": lambda _: commands_text(),
    "readings": readings_table,
    "fields": fields_table,
    "policies": lambda _: shipped_table(),
    "policy": policy_file,
    "example": _example,
    "alone": _alone,
    "summary": _summary,
    "sequence": _sequence,
    "figure": _figure,
    "distances": _distances,
    "judges": _judges,
    "edges": lambda _: edges_table(_cell("edges")) or NOT_YET,
    "chains": lambda _: chains_table(_cell("edges")) or NOT_YET,
    "unique": lambda _: unique_table(_cells("unique")) or NOT_YET,
    "tiers": lambda _: tiers_table(_cell("tiers")) or NOT_YET,
    "courses": lambda _: courses_table(_cells("audit")) or NOT_TUNED,
    "chance": lambda _: beyond_chance(_cells("audit")) or NOT_TUNED,
    "early": lambda _: early_table(_cells("audit")) or NOT_TUNED,
    "overview": lambda _: overview_table(_cells("audit")) or NOT_TUNED,
    "late": lambda _: courses_table(_cells("late")) or NOT_LATE,
    "relearning": _relearning,
    "survival": lambda _: survival_table(_cells("audit")) or NOT_TUNED,
    "forecasts": lambda _: forecasts_table(_cells("audit")) or NOT_TUNED,
    "batch": _batch,
    "cost": _cost,
    "conformance": lambda _: conformance_table(RESULTS / "conformance.json"),
    "families": lambda _: families_table(),
    "full_size": lambda _: full_size_table(RESULTS / "full_size.json") or NOT_BIG,
    "growth": lambda _: growth_table(RESULTS / "growth.json") or NOT_GROWN,
    "many": lambda _: many_said(RESULTS / "many.json"),
    "painting": _painting,
    "scale": _scale,
    "refusals": _refusals,
    "erasers": _erasers,
    "duels": lambda which: duels_table(_cells("erasers"), which) or NOT_YET,
    "peers": lambda _: peers_table(_cells("erasers"), _cells("peers")),
    "presets": lambda _: _presets(),
    "aims": lambda _: aims_table(_cells("erasers")) or NOT_YET,
    "sequences": lambda _: sequences_table(_cells("erasers")) or NOT_YET,
    "model": _model,
    "attacks": lambda _: attacks_table(_cells("attacks")) or NOT_YET,
    "glyph-model": _glyph_model,
    "glyph-confusions": _glyph_confusions,
    "glyph-verdicts": _glyph_verdicts,
    "glyph-erasers": lambda _: glyph_erasers_table(_cells("glyphs")) or NOT_DRAWN,
    "glyph-kinds": lambda _: glyph_kinds_table(_cells("glyphs")) or NOT_DRAWN,
    "glyph-hundred": lambda _: glyph_hundred_table(_cells("glyphs")) or NOT_DRAWN,
    "glyph-sixty": lambda _: glyph_sixty_table(_cells("glyphs")) or NOT_DRAWN,
    "glyph-words": lambda _: glyph_words_table(_cells("glyphs")) or NOT_DRAWN,
}

if __name__ == "__main__":
    main()
