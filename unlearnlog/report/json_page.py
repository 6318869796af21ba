"""A report as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from unlearnlog.findings.as_json import as_data

if TYPE_CHECKING:
    from unlearnlog.findings.report_parts import Findings


def report_data(found: Findings) -> Any:  # noqa: ANN401 - any JSON
    """Return the findings as objects, lists, texts and numbers."""
    return as_data(found)
