"""s2lic: a learned image codec for photographs, used like `cjxl` or `avifenc`."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from s2lic import errors
    from s2lic.api import decode, encode, info
    from s2lic.codec import Codec
    from s2lic.coding.options import DecodeOptions, EncodeOptions

__all__ = ["Codec", "DecodeOptions", "EncodeOptions", "__version__", "decode", "encode", "errors", "info"]
__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the codec, and torch with it, when it is first asked for (PEP 562)."""
    if name == "errors":
        return importlib.import_module("s2lic.errors")
    if name in ("EncodeOptions", "DecodeOptions"):
        return getattr(importlib.import_module("s2lic.coding.options"), name)
    if name in ("decode", "encode", "info"):
        return getattr(importlib.import_module("s2lic.api"), name)
    if name == "Codec":
        try:
            return getattr(importlib.import_module("s2lic.codec"), name)
        except ModuleNotFoundError as error:
            raise importlib.import_module("s2lic.errors").ExtraMissingError.of(error) from error
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
