"""The commands: names go in, one write comes last."""
