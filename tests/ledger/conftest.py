import pytest

from tests.ledger.making import FakeDisk, erase, new_ledger


@pytest.fixture
def disk():
    return FakeDisk()


@pytest.fixture
def ledger(tmp_path, disk):
    """An empty ledger on a tiny float16 base."""
    return new_ledger(tmp_path, disk=disk)


@pytest.fixture
def history(ledger):
    """A ledger with three erasures, and their ids."""
    return ledger, [erase(ledger, seed) for seed in range(3)]
