"""The rules of model families: how each encodes, predicts, guides and decodes."""
