"""Conversion of any Pillow mode to one of the four that are coded, with a note of what changed."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageCms

from s2lic.errors import UnsupportedModeError

CODED = ("RGB", "L", "RGBA", "LA")
GREY = ("1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N")
BY_PROFILE = ("CMYK", "LAB")  # converted to sRGB by their profile

# Tags of TIFF, and values of its photometric interpretation.
_BITS_PER_SAMPLE, _COMPRESSION, _PHOTOMETRIC, _SAMPLE_FORMAT, _SUBSAMPLING = 258, 259, 262, 339, 530
_WHITE_IS_ZERO, _YCBCR = 0, 6


@dataclass(frozen=True)
class Note:
    """A change to an image before coding, and whether it lost something."""

    text: str
    lossy: bool = False


Converted = tuple[Image.Image, Note]


def coded_form(image: Image.Image) -> tuple[Image.Image, tuple[Note, ...]]:
    """Convert an image to a mode of `CODED`, if it has another. Raises UnsupportedModeError.

    8-bit samples stay what they are; more bits are rounded to 8. Colour other than RGB becomes sRGB.
    """
    _check_samples(image)
    notes = [CUT] if (deep := _is_deep(image)) else []
    image.load()
    if image.has_transparency_data and image.mode in _OPENED_UP:
        if deep and image.mode == "RGB":
            raise UnsupportedModeError(
                "16-bit colour with one transparent colour is not coded; give it an alpha channel"
            )
        image, note = _opened_up(image)
    elif image.mode in CODED:
        return image, tuple(notes)
    elif image.mode in _CONVERTERS:
        image, note = _CONVERTERS[image.mode](image)
    else:
        raise UnsupportedModeError(
            f"pictures of mode {image.mode} are not coded; convert it first, for instance with image.convert('RGB')"
        )
    return image, (*notes, note)


def cut_to_eight(bits: int) -> Note:
    """The note on samples of so many bits."""
    return Note(f"{bits}-bit samples are cut to 8 bits", lossy=True)


CUT = cut_to_eight(16)


def _check_samples(image: Image.Image) -> None:
    """Refuse samples whose black and white levels Pillow does not report. Raises UnsupportedModeError."""
    tags = getattr(image, "tag_v2", {})
    if 2 in np.atleast_1d(tags.get(_SAMPLE_FORMAT, 1)) and _bits(image) < 32:
        raise UnsupportedModeError("signed samples have no agreed black and white; convert them to unsigned")
    subsampled = tuple(tags.get(_SUBSAMPLING, (2, 2))) != (1, 1)
    if tags.get(_PHOTOMETRIC) == _YCBCR and tags.get(_COMPRESSION, 1) == 1 and subsampled:
        raise UnsupportedModeError(
            "Pillow misreads uncompressed TIFF of subsampled YCbCr; save it as RGB or compressed"
        )
    if image.format == "FITS" and image.mode != "L":
        raise UnsupportedModeError(
            "FITS files of more than 8 bits do not define black and white; convert to TIFF or PNG"
        )


def _bits(image: Image.Image) -> int:
    """The bits per sample of a TIFF, or 16 for another deep image."""
    return int(np.max(getattr(image, "tag_v2", {}).get(_BITS_PER_SAMPLE, 16)))


def _is_negative(image: Image.Image) -> bool:
    """Whether a TIFF stores white as 0. Pillow inverts it only up to 8 bits."""
    return bool(getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == _WHITE_IS_ZERO)


def _is_deep(image: Image.Image) -> bool:
    """Whether the file has colour of more than 8 bits, which Pillow truncates on loading (PNG, TIFF, PPM)."""
    if image.mode not in CODED:
        return False
    words = [word for tile in getattr(image, "tile", ()) for word in np.atleast_1d(np.asarray(tile[3], object))]
    depth = any(isinstance(word, str) and ";16" in word for word in words)
    return depth or (image.format == "PPM" and any(isinstance(word, int) and word > 255 for word in words))


def _opened_up(image: Image.Image) -> Converted:
    """Turn transparent palette entries, or a transparent colour, into an alpha channel."""
    if image.mode in _DEEP_GREY:
        grey = _samples(image)
        alpha = np.where(grey == image.info["transparency"], 0, 255).astype(np.uint8)
        return Image.fromarray(np.stack([to_eight_bits(grey), alpha], axis=-1)), CUT
    mode = "LA" if image.mode in ("1", "L") else "RGBA"
    return image.convert(mode), Note("its transparent colours became an alpha channel")


def _plain(mode: str, text: str, lossy: bool = False) -> Callable[[Image.Image], Converted]:
    return lambda image: (image.convert(mode), Note(text, lossy))


def _from_cmyk(image: Image.Image) -> Converted:
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB"), Note("CMYK without a profile became RGB by plain arithmetic", lossy=True)
    try:
        return _by_profile(image, profile), Note("CMYK became sRGB by its profile", lossy=True)
    except (ImageCms.PyCMSError, OSError) as error:
        text = f"CMYK became RGB by plain arithmetic, since its profile cannot be used ({error})"
        return image.convert("RGB"), Note(text, lossy=True)


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image:
    converted = ImageCms.profileToProfile(
        image,
        ImageCms.ImageCmsProfile(io.BytesIO(profile)),
        ImageCms.createProfile("sRGB"),
        ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None only for an in-place conversion
    return converted


def _from_deep_grey(image: Image.Image) -> Converted:
    bits = min(_bits(image), 16)  # 32-bit samples must be within the range of 16 bits
    levels = to_eight_bits(_samples(image), 2**bits - 1)
    return Image.fromarray(255 - levels if _is_negative(image) else levels), cut_to_eight(bits)


def _samples(image: Image.Image) -> npt.NDArray[np.int32]:
    """The 16-bit samples. Mode I counts as 16 bits, as in Pillow's own reading and writing."""
    samples = np.asarray(image).astype(np.int32)
    low, high = int(samples.min()), int(samples.max())
    if low < 0 or high > 65535:
        raise UnsupportedModeError(f"samples from {low} to {high} exceed 16 bits; scale them to 0..65535")
    return samples


def to_eight_bits(samples: npt.NDArray[Any], top: int = 65535) -> npt.NDArray[np.uint8]:
    """Scale samples of 0..top to 0..255, rounded to the nearest."""
    return ((samples.astype(np.int64) * 255 + top // 2) // top).astype(np.uint8)


def _from_float(image: Image.Image) -> Converted:
    samples = np.asarray(image)
    high = float(samples.max())
    if not (float(samples.min()) >= 0 and high <= 255):  # also refuses NaN
        raise UnsupportedModeError("floating-point samples must be within 0..255; scale them to 0..1 or 0..255")
    scale = 255 if high <= 1 else 1
    text = f"floating-point samples of 0..{'1' if scale == 255 else '255'} are rounded to 8 bits"
    levels = np.rint(samples * scale).astype(np.uint8)
    return Image.fromarray(255 - levels if _is_negative(image) else levels), Note(text, lossy=True)


_DEEP_GREY = ("I;16", "I;16B", "I;16L", "I;16N", "I")
_OPENED_UP = ("1", "L", "P", "RGB", *_DEEP_GREY)
_CONVERTERS: dict[str, Callable[[Image.Image], Converted]] = {
    "1": _plain("L", "1-bit black and white became 8-bit grey"),
    "P": _plain("RGB", "palette colours became RGB"),
    "PA": _plain("RGBA", "palette colours became RGB"),
    "La": _plain("LA", "premultiplied grey was divided by its alpha"),
    "RGBa": _plain("RGBA", "premultiplied colour was divided by its alpha"),
    "RGBX": _plain("RGB", "the unused fourth channel was left out"),
    "CMYK": _from_cmyk,
    "YCbCr": _plain("RGB", "YCbCr became RGB", lossy=True),
    "HSV": _plain("RGB", "HSV became RGB", lossy=True),
    "LAB": _plain("RGB", "L*a*b* became sRGB", lossy=True),
    "F": _from_float,
    **dict.fromkeys(_DEEP_GREY, _from_deep_grey),
}
