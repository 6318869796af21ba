"""The commands under headings, by their purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from typer.core import TyperGroup

if TYPE_CHECKING:
    from typer._click import Context, HelpFormatter

HEADINGS: Final = {
    "Erase": ("add", "revert", "compose", "import"),
    "Look": (
        "show",
        "paint",
        "probe",
        "graph",
        "drift",
        "report",
        "diff",
        "bisect",
        "serve",
    ),
    "Measure as others do": ("compare", "canvas"),
    "History": (
        *("log", "shortlog", "blame", "status", "reset", "branch", "switch", "tag"),
    ),
    "Share": ("clone", "remote", "push", "pull", "fetch"),
    "Audit and attack": ("audit", "attack", "rebase"),
    "Give away": ("release", "checkout", "export", "push-model"),
    "Trust": ("verify", "seal", "unseal", "redact"),
    "The ledger itself": ("init", "config", "fsck", "gc", "concepts", "erasers"),
}
"""Every command stands under one heading, in the order in which it is listed."""


class Grouped(TyperGroup):
    """A group that lists its commands under headings; those without one come last."""

    def list_commands(self, ctx: Context) -> list[str]:
        """Return the names of the commands, those under one heading together."""
        known = super().list_commands(ctx)
        listed = [name for names in HEADINGS.values() for name in names]
        rest = [name for name in known if name not in listed]
        return [name for name in listed if name in known] + rest

    def format_commands(self, ctx: Context, formatter: HelpFormatter) -> None:
        """Write each heading with its commands and their whole first lines."""
        names = self.list_commands(ctx)
        listed = {name for each in HEADINGS.values() for name in each}
        rest = tuple(name for name in names if name not in listed)
        width = max(map(len, names))
        for heading, each in {**HEADINGS, "More": rest}.items():
            found = {name: self.get_command(ctx, name) for name in each}
            rows = [
                (f"{name:<{width}}", command.get_short_help_str(limit=_WHOLE))
                for name, command in found.items()
                if command is not None and not command.hidden
            ]
            if rows:
                with formatter.section(heading):
                    formatter.write_dl(rows)


_WHOLE: Final = 1000
"""Characters of a help text; more than any has, so that none is cut."""
