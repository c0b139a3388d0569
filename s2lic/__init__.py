"""s2lic: a learned image codec for photographs, used like `cjxl` or `avifenc`."""

__version__ = "0.1.0"
