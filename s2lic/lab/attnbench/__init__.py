"""Attention under the codec's masks, kernel by kernel: right first, then timed (after Bu et al. 2026, LongCA-bench)."""
