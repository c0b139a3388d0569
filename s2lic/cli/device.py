"""From the words of the command line to a codec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from s2lic.bitstream import DEFAULT_MAX_PIXELS
from s2lic.cli.options import DeviceName
from s2lic.errors import DeviceMissingError

if TYPE_CHECKING:
    from s2lic.codec import Codec


def open_codec(device: DeviceName, model: str | None = None, max_pixels: int = DEFAULT_MAX_PIXELS) -> Codec:
    """The codec of that model, else of the default one. Raises DeviceMissingError."""
    from s2lic.codec import Codec

    where = _device(device)
    if model is None:
        return Codec(device=where, max_pixels=max_pixels)
    return Codec(model, device=where, max_pixels=max_pixels)


def _device(name: DeviceName) -> str:
    if name is DeviceName.cpu:
        return "cpu"
    import torch

    if torch.cuda.is_available():
        return "cuda"
    if name is DeviceName.cuda:
        raise DeviceMissingError("there is no CUDA device here; leave --device out for the CPU")
    return "cpu"
