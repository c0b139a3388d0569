"""`s2lic.encode`, `s2lic.decode` and `s2lic.info`: one call each, on a codec that is opened once.

They compute with torch where it is installed and with onnxruntime elsewhere, as `--runtime auto` does.
"""

from __future__ import annotations

import importlib.util
import os
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Literal, cast, overload

from s2lic.coding.options import Crop, DecodeOptions, EncodeOptions
from s2lic.container.boxes import EXTRAS, VERSION, Container, Limits, describe, unpack
from s2lic.container.tiles import unpack_tiles
from s2lic.defaults import DEFAULT_MAX_PIXELS
from s2lic.errors import ExtraMissingError, UsageError
from s2lic.files import read_bytes, read_open
from s2lic.weights import manifest

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray
    from PIL import Image

    from s2lic.codec import Codec
    from s2lic.images.load import ImageLike
    from s2lic.lite import LiteCodec

CodedSource = str | os.PathLike[str] | bytes | bytearray | memoryview | IO[bytes]


def encode(
    image: ImageLike,
    quality: float | None = None,
    model: str | Path | None = None,
    tune: str | None = None,
    **options: Any,
) -> bytes:
    """The file of one picture.

    Args:
        image: A path, the bytes of an image file, an open file, a Pillow image, an array (H, W) or (H, W, C) of uint8,
            uint16, or floats in 0..1, or a torch tensor (C, H, W) of the same types. Files and Pillow images are turned
            upright by their Exif.
        quality: 0..100; 50 by default.
        model: The name of shipped weights, or the path of a weights file.
        tune: "visual" or "psnr", for the weights of that tune.
        **options: Those of `EncodeOptions`: target_bpp, target_size, target_psnr,
            target_msssim, target_ssimulacra2, effort, roi, strip, strict, cond.

    Raises:
        UsageError, ImageError, InputMissingError, WeightsError: As `Codec.encode` and `Codec`.
    """
    (data,) = _codec(model, tune).encode_many_with([_upright(image)], EncodeOptions(quality=quality, **options))
    return data


def _upright(image: ImageLike) -> ImageLike:
    """A Pillow image turned as its Exif asks, as files are; anything else as it is."""
    from PIL import Image

    from s2lic.images.metadata import upright

    return upright(image.copy()) if isinstance(image, Image.Image) else image


@overload
def decode(
    source: CodedSource, crop: Crop | None = ..., out: Literal["pil"] = ..., strip: bool = ...
) -> Image.Image: ...
@overload
def decode(source: CodedSource, crop: Crop | None, out: Literal["numpy"], strip: bool = ...) -> NDArray[Any]: ...
@overload
def decode(source: CodedSource, crop: Crop | None, out: Literal["torch"], strip: bool = ...) -> torch.Tensor: ...
@overload
def decode(source: CodedSource, *, out: Literal["numpy"]) -> NDArray[Any]: ...
@overload
def decode(source: CodedSource, *, out: Literal["torch"]) -> torch.Tensor: ...
def decode(source: CodedSource, crop: Crop | None = None, out: str = "pil", strip: bool = False) -> Any:
    """The picture of one file.

    Args:
        source: A path, the bytes of a file, or an open file.
        crop: The part to decode: left, top, width, height in pixels.
        out: "pil" for a Pillow image, "numpy" for an array (H, W) or (H, W, C) uint8, "torch" for a tensor (C, H, W)
            uint8.
        strip: Drop ICC profile, Exif and XMP.

    Raises:
        BitstreamError, InputMissingError, CropRangeError, or UsageError for another source or `out`.
    """
    if out not in ("pil", "numpy", "torch"):
        raise UsageError(f"out is 'pil', 'numpy' or 'torch', not {out!r}")
    data, options = _bytes_of(source), DecodeOptions(crop, strip)
    (image,) = _codec().decode_many_with([data], options)
    if out == "pil":
        return image
    import numpy as np

    array = np.array(image)
    return array if out == "numpy" else _as_tensor(array)


def info(source: CodedSource) -> dict[str, Any]:
    """The header of a file and the sizes of its parts, without loading weights.

    Raises:
        BitstreamError, InputMissingError, UsageError.
    """
    data = _bytes_of(source)
    container = unpack(data, Limits(max_pixels=None))
    header = container.header
    return {
        "format_version": VERSION,
        "bytes": len(data),
        "bpp": round(8 * len(data) / (header.width * header.height), 4),
        **describe(header),
        "model": _model_name(header.model_id),
        "tiling": _tiling(container),
        "payload_bytes": len(container.payload),
        "exceptions_bytes": len(container.exceptions),
        "roi_bytes": len(container.roi),
        **{f"{name}_bytes": len(container.extras.get(name, b"")) for name in EXTRAS.values()},
    }


def _model_name(model_id: bytes) -> str:
    """The name and tune of a set that ships; "unknown" for others, which are known by their id only."""
    shipped = {row.model_id: f"{row.model}, {row.tune}" for row in manifest.rows()}
    return shipped.get(model_id, "retired" if manifest.retired_by_id(model_id) else "unknown")


def _tiling(container: Container) -> str:
    """The number of tiles and their size, or "one stream"."""
    header = container.header
    if not container.tiles:
        return "one stream"
    layout, _ = unpack_tiles(container.tiles, header.width, header.height, len(container.payload))
    return f"{layout.columns} x {layout.rows} tiles of {layout.tile_width} x {layout.tile_height}"


@lru_cache(maxsize=4)
def _codec(model: str | Path | None = None, tune: str | None = None) -> Codec | LiteCodec:
    if importlib.util.find_spec("torch"):
        from s2lic.codec import Codec

        return Codec(model, tune=tune)
    from s2lic.lite import LiteCodec

    return LiteCodec(model, tune=tune)


def _bytes_of(source: object) -> bytes:
    if isinstance(source, (str, os.PathLike)):
        return read_bytes(os.fsdecode(source), DEFAULT_MAX_PIXELS)
    if hasattr(source, "read"):
        return read_open(cast("IO[bytes]", source), str(getattr(source, "name", "the data")), DEFAULT_MAX_PIXELS)
    try:
        return bytes(memoryview(source))  # type: ignore[arg-type]
    except TypeError as error:
        raise UsageError(
            f"no file can be had from {type(source).__name__}: give a path, bytes, or a file open for reading bytes"
        ) from error


def _as_tensor(array: NDArray[Any]) -> torch.Tensor:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ExtraMissingError.of(error) from error
    tensor = torch.from_numpy(array)
    return tensor[None] if tensor.ndim == 2 else tensor.permute(2, 0, 1)
