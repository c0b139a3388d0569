"""The entropy model and its range coder: symbols to bytes and back."""
