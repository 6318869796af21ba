"""Commands that several processes compute together, started by accelerate."""

from unlearnlog.ranks.one_command import shared

__all__ = ["shared"]
