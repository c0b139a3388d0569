"""Trained weights: the manifest of what ships, and loading."""
