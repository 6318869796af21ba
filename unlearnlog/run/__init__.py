"""The story of each command: words go in, one write comes last.

Nothing here computes: the ledger replays, the eraser erases, the probes measure, the
policy judges. A command that fails before its last line has written nothing.
"""
