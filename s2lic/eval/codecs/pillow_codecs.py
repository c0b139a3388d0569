"""The codecs of Pillow and its plugins: JPEG, WebP, AVIF, JPEG 2000, JPEG XL and HEIC."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import PIL
from PIL import Image, features

from s2lic.errors import ExtraMissingError
from s2lic.eval.codecs.base import CodecRow, Coder, Scale, need


class PillowCoder(Coder):
    """A format of Pillow. `settings` maps a quality to the options of `Image.save`."""

    def __init__(self, form: str, settings: Callable[[float], dict[str, Any]], library: str, details: str) -> None:
        self.form, self.settings = form, settings
        self.identity = f"Pillow {PIL.__version__}, {library}, {details}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        buffer = io.BytesIO()
        image.save(buffer, format=self.form, **self.settings(quality))
        return buffer.getvalue()

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        with Image.open(io.BytesIO(data), formats=[self.form]) as image:
            image.load()
            return image


def library(name: str, feature: str) -> str:
    """The name and version of a library that Pillow was built with. Raises ExtraMissingError."""
    if not features.check(feature):
        raise ExtraMissingError(f"this Pillow was built without {name}; install a wheel: pip install -U pillow")
    return f"{name} {features.version(feature)}"


def _open_jpeg(options: Mapping[str, str]) -> Coder:
    turbo = features.check("libjpeg_turbo")
    known = library("libjpeg-turbo", "libjpeg_turbo") if turbo else library("libjpeg", "jpg")
    return PillowCoder("JPEG", lambda q: {"quality": int(q)}, known, "quality Q, 4:2:0")


JPEG = CodecRow("jpeg", "JPEG", ".jpg", Scale(1, 100), tuple(range(5, 100, 5)), _open_jpeg)


def _open_webp(options: Mapping[str, str]) -> Coder:
    return PillowCoder("WEBP", lambda q: {"quality": int(q)}, library("libwebp", "webp"), "quality Q, method 4, 4:2:0")


WEBP = CodecRow("webp", "WebP", ".webp", Scale(0, 100), tuple(range(5, 100, 5)), _open_webp)


AVIF_SPEED = 4


def _open_avif(options: Mapping[str, str]) -> Coder:
    known = library("libavif", "avif")
    details = f"quality Q, speed {AVIF_SPEED}, 4:4:4"
    return PillowCoder(
        "AVIF", lambda q: {"quality": int(q), "speed": AVIF_SPEED, "subsampling": "4:4:4"}, known, details
    )


AVIF = CodecRow("avif", "AVIF", ".avif", Scale(0, 100), (5, 15, 25, 35, 45, 55, 65, 75), _open_avif)


def _settings(ratio: float) -> dict[str, Any]:
    """Turns the colour transform on, which halves the rate. Pillow's default is off; grey pictures ignore it."""
    return {"quality_layers": [ratio], "irreversible": True, "mct": 1}


def _open_jpeg2000(options: Mapping[str, str]) -> Coder:
    details = "ratio R, irreversible, one layer, colour transform"
    return PillowCoder("JPEG2000", _settings, library("openjpeg", "jpg_2000"), details)


SCALE = Scale(1, 1000, whole=False, word="ratio")
JPEG2000 = CodecRow("jpeg2000", "JPEG 2000", ".jp2", SCALE, (10, 15, 20, 30, 40, 60, 80, 120), _open_jpeg2000)


EFFORT = 7


def _open_jxl(options: Mapping[str, str]) -> Coder:
    need("pillow_jxl", "JPEG XL", "jxl")  # its import registers the format
    known, details = f"pillow-jxl-plugin {version('pillow-jxl-plugin')}", f"quality Q, effort {EFFORT}"
    return PillowCoder("JXL", lambda q: {"quality": int(q), "effort": EFFORT, "lossless_jpeg": False}, known, details)


JXL = CodecRow("jxl", "JPEG XL", ".jxl", Scale(0, 99), (5, 10, 20, 30, 45, 60, 75, 85, 92), _open_jxl)


def _open_heif(options: Mapping[str, str]) -> Coder:
    plugin = need("pillow_heif", "HEIC", "heif")
    plugin.register_heif_opener()
    encoder = plugin.libheif_info()["HEIF"] or "no HEVC encoder"
    known = f"pillow-heif {plugin.__version__}, {encoder}"
    return PillowCoder("HEIF", lambda q: {"quality": int(q), "chroma": 444}, known, "quality Q, 4:4:4")


HEIF = CodecRow("heif", "HEIC", ".heic", Scale(0, 100), (8, 15, 22, 29, 36, 43, 50, 57), _open_heif)
