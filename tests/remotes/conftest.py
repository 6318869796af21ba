import pytest

from unlearnlog.ledger.disk import Disk


def _waiting_for_nothing(_disk, _handle):
    """Flush nothing."""


@pytest.fixture(autouse=True)
def no_platter(monkeypatch, request):
    """Wait for no platter, but in the tests of real servers."""
    if "slow" not in request.keywords:
        monkeypatch.setattr(Disk, "flush", _waiting_for_nothing)
