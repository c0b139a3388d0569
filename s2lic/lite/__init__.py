"""A decoder, and an encoder without a search, on numpy and onnxruntime: the same files without torch."""
