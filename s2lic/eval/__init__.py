"""Evaluation: complexity, distortion metrics, and rate-distortion curves, measured and published (extra `eval`)."""
