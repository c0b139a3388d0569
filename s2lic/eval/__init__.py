"""Measuring: complexity, distances, rate-distortion curves and the published ones beside them (extra `eval`)."""
