"""``python -m unlearnlog`` is the command line."""

from unlearnlog.cli import main

main()
