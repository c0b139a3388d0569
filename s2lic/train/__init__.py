"""Training: data, loss, optimiser, loop, checkpoints (extra `train`)."""
