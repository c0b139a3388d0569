"""The codec on numpy and onnxruntime, without torch: every file decodes, and encoding has no search."""

from __future__ import annotations

from s2lic.lite.codec import LiteCodec, decode

__all__ = ["LiteCodec", "decode"]
