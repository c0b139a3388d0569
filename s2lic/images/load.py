"""Reading of images with Pillow: from files, bytes, arrays or Pillow images to the modes that the codec supports."""

from __future__ import annotations

import os
import warnings
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt
from PIL import Image, UnidentifiedImageError

from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import (
    ConversionWarning,
    ImageSizeError,
    LossyConversionError,
    NotAnImageError,
    S2licError,
    UnsupportedModeError,
    UsageError,
)
from s2lic.files import read_bytes, read_open
from s2lic.images.declared import INSPECTED, Declared, read_declared
from s2lic.images.metadata import metadata_of, upright, with_metadata
from s2lic.images.modes import BY_PROFILE, CUT, Note, coded_form, to_eight_bits
from s2lic.images.openers import open_picture, remedy_for
from s2lic.images.pages import to_main_page

if TYPE_CHECKING:
    from torch import Tensor

_ALL_HIDDEN = Note(
    "its alpha is 0 everywhere, so its colours are not kept; remove the alpha channel to keep them",
    lossy=True,
)
_LIFT = "Raise max_pixels (--max-pixels), and in Python PIL.Image.MAX_IMAGE_PIXELS too, if memory allows"

Source = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]
ImageLike: TypeAlias = "Source | Image.Image | npt.NDArray[Any] | Tensor"


@dataclass(frozen=True)
class Picture:
    """An image of mode RGB, L, RGBA or LA with its metadata in `info`, and notes on what was changed."""

    image: Image.Image
    notes: tuple[Note, ...] = ()


def read_image(
    source: Source, max_pixels: int | None = DEFAULT_MAX_PIXELS, strict: bool = False, strip: bool = False
) -> Picture:
    """The first image of a file, given as path, bytes or open file, turned upright by its Exif.

    `strip` drops its metadata. Raises InputMissingError, InputTooLongError, NotAnImageError,
    UnsupportedModeError, ImageSizeError, and with `strict` LossyConversionError.
    """
    name, data = _contents(source, max_pixels)
    try:
        with open_picture(data) as image:
            check_size(image, max_pixels)
            picture = _first_upright(image, data, max_pixels)
    except S2licError:
        raise
    except Image.DecompressionBombError as error:
        raise ImageSizeError(f"{name} has more pixels than Pillow opens: {error} {_LIFT}") from error
    except UnidentifiedImageError as error:
        raise NotAnImageError(f"{name} is not a picture that Pillow can read; {remedy_for(data)}") from error
    except Exception as error:  # Pillow raises exceptions of any type on broken files
        raise NotAnImageError(f"{name} is not a picture that Pillow can read: {error}") from error
    if strict:
        _refuse_losses(picture)
    return Picture(with_metadata(picture.image, {}), picture.notes) if strip else picture


def open_image(source: Source, max_pixels: int | None = DEFAULT_MAX_PIXELS, strip: bool = False) -> Image.Image:
    """Like `read_image`, with a ConversionWarning if something is lost."""
    return _warned(read_image(source, max_pixels, strip=strip))


def as_image(image: ImageLike, max_pixels: int | None = DEFAULT_MAX_PIXELS, strict: bool = False) -> Image.Image:
    """An image from a Pillow image, an array (H, W) or (H, W, C), a torch tensor (C, H, W), or a file.

    Arrays and tensors are uint8, uint16, or floats in 0..1. Pillow images are not turned, whatever their Exif says.
    Raises what `read_image` raises, and warns as `open_image` does.
    """
    if type(image).__module__ == "torch":
        image = np.moveaxis(cast("Tensor", image).detach().cpu().numpy(), 0, -1)
    if isinstance(image, np.ndarray):
        picture = _from_array(image)
    elif isinstance(image, Image.Image):
        check_size(image, max_pixels)
        picture = _loaded(image)
    else:
        picture = read_image(cast("Source", image), max_pixels)
    check_size(picture.image, max_pixels)
    if strict:
        _refuse_losses(picture)
    return _warned(picture)


def check_size(image: Image.Image, max_pixels: int | None = DEFAULT_MAX_PIXELS) -> None:
    """Raises ImageSizeError if the image has no pixels or too many."""
    pixels = image.width * image.height
    if pixels == 0:
        raise ImageSizeError(f"a picture of {image.width} x {image.height} has no pixels")
    if max_pixels is not None and pixels > max_pixels:
        raise ImageSizeError(
            f"the picture has {image.width} x {image.height} pixels, more than the limit of "
            f"{max_pixels}; raise max_pixels (--max-pixels) if memory allows"
        )


def _first_upright(image: Image.Image, data: bytes, max_pixels: int | None) -> Picture:
    frames = _frames(image, data)
    if image.format == "TIFF":
        to_main_page(image, data)
        check_size(image, max_pixels)
    declared = read_declared(data, image)
    image.info |= {name: content for name, content in declared.info.items() if content}
    picture = _in_coded_form(image)
    notes = (Note(_of_several(image, frames), lossy=True),) if frames > 1 else ()
    return Picture(upright(picture.image), (*notes, *picture.notes, *declared.notes))


def _frames(image: Image.Image, data: bytes) -> int:
    """The number of images in the file, or 1 if it is unreadable.

    The file is opened again, because counting a broken file changes the state of the image.
    """
    if not hasattr(type(image), "n_frames"):
        return getattr(image, "n_frames", 1)
    try:
        with open_picture(data) as again:
            return int(again.n_frames)  # type: ignore[attr-defined]
    except Exception:  # noqa: BLE001 on broken files Pillow lets any kind through
        return 1


def _of_several(image: Image.Image, frames: int) -> str:
    if image.format == "PSD":
        return f"its {frames} layers became one picture"
    return f"only the first of {frames} images is used"


def _in_coded_form(image: Image.Image) -> Picture:
    coded, notes = coded_form(image)
    metadata = metadata_of(image)
    profile = image.info.get("icc_profile")
    if image.mode in BY_PROFILE:
        metadata.pop("icc_profile", None)  # it describes the colours before the conversion
    elif profile and "icc_profile" not in metadata:
        notes += (Note("its ICC profile does not fit its colour mode and is left out", lossy=True),)
    if coded is not image:
        with_metadata(coded, metadata)
    if _hides_all(coded):
        notes += (_ALL_HIDDEN,)
    return Picture(coded, notes)


def _hides_all(image: Image.Image) -> bool:
    """Whether alpha is 0 everywhere over more than one colour. Many programs write alpha 0 when they do not use it."""
    if image.mode not in ("LA", "RGBA") or image.getchannel("A").getextrema() != (0, 0):
        return False
    return any(band.getextrema()[0] != band.getextrema()[1] for band in image.split()[:-1])


def _loaded(image: Image.Image) -> Picture:
    """An image that the caller opened. Raises NotAnImageError if its file is broken."""
    try:
        declared = _declared_by(image)
        image.info |= {name: content for name, content in declared.info.items() if content}
        picture = _in_coded_form(image)
        return Picture(picture.image, (*picture.notes, *declared.notes))
    except S2licError:
        raise
    except Exception as error:  # Pillow raises exceptions of any type on broken files
        raise NotAnImageError(f"the picture cannot be read: {error}") from error


def _refuse_losses(picture: Picture) -> None:
    if losses := [note.text for note in picture.notes if note.lossy]:
        raise LossyConversionError(
            f"the conversion would lose something: {'; '.join(losses)}; leave out strict (--strict) to allow it"
        )


def _warned(picture: Picture) -> Image.Image:
    for note in picture.notes:
        if note.lossy:
            warnings.warn(note.text, ConversionWarning, stacklevel=4)
    return picture.image


def _contents(source: Source, max_pixels: int | None) -> tuple[str, bytes]:
    """A name for messages, and the bytes. Raises UsageError for other types."""
    if isinstance(source, (str, os.PathLike)):
        path = os.fsdecode(source)
        return path, read_bytes(path, max_pixels)
    if hasattr(source, "read"):
        name = str(getattr(source, "name", "the data"))
        return name, read_open(cast("IO[bytes]", source), name, max_pixels)
    try:
        return "the data", bytes(memoryview(source))
    except TypeError as error:
        raise UsageError(
            f"cannot read an image from {type(source).__name__}: give a path, the bytes of a file, a file that is "
            "open for reading bytes, a Pillow image or an array"
        ) from error


def _declared_by(image: Image.Image) -> Declared:
    """What the file of an opened picture declares. After loading, its bytes are no longer available."""
    file = getattr(image, "fp", None)
    if file is None or image.format not in INSPECTED or not getattr(image, "tile", None):
        return Declared()
    position = file.tell()
    file.seek(0)
    data = file.read()
    file.seek(position)
    return read_declared(data, image)


def _to_bytes(array: npt.NDArray[Any]) -> npt.NDArray[np.uint8]:
    """Convert floats in 0..1 to uint8. Raises UnsupportedModeError for other values, including NaN."""
    if array.size and not (array.min() >= 0 and array.max() <= 1):
        raise UnsupportedModeError("floats must be in 0..1; divide by their maximum, or give uint8")
    rounded: npt.NDArray[np.uint8] = np.rint(255 * array).astype(np.uint8)
    return rounded


def _from_array(array: npt.NDArray[Any]) -> Picture:
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    array = array[:, :, 0] if array.shape[2:] == (1,) else array
    if np.issubdtype(array.dtype, np.floating):
        array = _to_bytes(array)
    if array.dtype not in (np.uint8, np.uint16) or not (array.ndim == 2 or array.shape[2:] in ((2,), (3,), (4,))):
        raise UnsupportedModeError(
            f"arrays of {array.dtype} and shape {array.shape} are not coded; give uint8, uint16 or floats in 0..1 "
            "of shape (H, W) or (H, W, C) with 1 to 4 channels, alpha last of 2 or 4"
        )
    if array.size == 0:
        raise ImageSizeError(f"an array of shape {array.shape} has no pixels")
    if array.dtype == np.uint16:
        picture = _in_coded_form(Image.fromarray(to_eight_bits(array)))
        return Picture(picture.image, (CUT, *picture.notes))
    return _in_coded_form(Image.fromarray(array))
