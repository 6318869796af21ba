"""The caches of a ledger: sums, tensors, judges' answers, checked signatures."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from unlearnlog.ledger import label_cache, signature_checks, tensor_cache
from unlearnlog.ledger.cache_folder import CacheFolder
from unlearnlog.ledger.cache_pages import Pages
from unlearnlog.ledger.store import CACHE, Store
from unlearnlog.ledger.sum_cache import SumCache


class Caches:
    """All caches of one ledger; any file of them may vanish.

    Attributes:
        sums: Sums of deltas.
        pages: Pages by folder: ``painted`` holds tensors, ``seen`` answers, ``signed``
            signatures that were good.
        shelf: The cache of tensors.
        notebook: The cache of judges' answers.
    """

    def __init__(self, store: Store) -> None:
        """Use the folders of a ledger, which need not exist."""
        warned: set[type[UserWarning]] = set()

        def folder(name: str) -> CacheFolder:
            return CacheFolder(store.root / CACHE / name, store.disk)

        self.sums = SumCache(folder("sums"))
        self.pages = {
            name: Pages(folder(name), kept, said=warned)
            for name, kept in (
                ("painted", tensor_cache.KEPT),
                ("seen", label_cache.KEPT),
                ("signed", signature_checks.KEPT),
            )
        }
        self.shelf = tensor_cache.DiskTensorCache(self.pages["painted"])
        self.notebook = label_cache.DiskLabelCache(self.pages["seen"])

    def faults(self) -> Iterator[tuple[Path, str]]:
        """Yield every file that is not as it was written, with the reason."""
        return chain(
            self.sums.faults(), *(pages.faults() for pages in self.pages.values())
        )
