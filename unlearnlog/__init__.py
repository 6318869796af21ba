"""git for forgetting: a ledger of what a text-to-image model was made to forget.

Each entry erases a concept, says what the erasure did to everything else, and can
be taken back to the bit. Nothing heavy is imported here: ``import unlearnlog``
costs no torch.
"""

__version__ = "0.1.0"
