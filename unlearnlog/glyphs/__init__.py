"""The second bundled world: real drawings by six studios."""
