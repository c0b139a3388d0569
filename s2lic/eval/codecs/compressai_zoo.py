"""CompressAI's models with the user's weights files, one per quality."""

from __future__ import annotations

import hashlib
import struct
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from s2lic.errors import QualityRangeError, UsageError, WeightsError
from s2lic.eval.codecs.base import CodecRow, Coder, Scale, need
from s2lic.files import read_bytes

STRIDE = 64
KEYS = ("network", "state_dict", "model_state_dict")
OPTIONS = {
    "model": "an architecture of compressai.zoo",
    "weights": "its weights files, separated by commas, quality 1 first",
}


class ZooCoder(Coder):
    """An architecture with weights for several rates. The hash of all weights is its identity."""

    def __init__(self, options: Mapping[str, str]) -> None:
        if missing := [name for name in OPTIONS if not options.get(name)]:
            wanted = " ".join(f"--set compressai.{name}=..." for name in missing)
            raise UsageError(f"CompressAI's models need your weights files; add {wanted}")
        files = [Path(word) for word in options["weights"].split(",")]
        digests = [hashlib.sha256(read_bytes(file)).digest() for file in files]
        self.models = [_load(options["model"], file) for file in files]
        digest = hashlib.sha256(b"".join(digests)).hexdigest()
        self.identity = f"CompressAI {options['model']}, weights {digest[:16]}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        import torch

        from s2lic.coding.networks import to_tensor

        pixels = to_tensor(image)
        bottom, right = -pixels.shape[2] % STRIDE, -pixels.shape[3] % STRIDE
        with torch.inference_mode():
            found = self._model(quality).compress(torch.nn.functional.pad(pixels, (0, right, 0, bottom)))
        strings = [batch[0] for batch in found["strings"]]
        lengths = struct.pack(f"<2H{len(strings) - 1}I", *found["shape"], *map(len, strings[:-1]))
        return bytes([int(quality)]) + lengths + b"".join(strings)

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        import torch

        from s2lic.coding.tiling import to_image

        model = self._model(data[0])
        shape, strings = _unpack(data[1:], 1 if len(_coders(model)) == 1 else 2)
        with torch.inference_mode():
            x_hat = model.decompress([[string] for string in strings], shape)["x_hat"]
        pixels = x_hat[0, :, : size[1], : size[0]].clamp(0, 1).mul(255).round().to(torch.uint8)
        return to_image(pixels, grey=False)

    def _model(self, quality: float) -> Any:
        if quality > len(self.models):
            raise QualityRangeError(f"there are {len(self.models)} weights files, and none for quality {quality:g}")
        return self.models[int(quality) - 1]


def _unpack(data: bytes, count: int) -> tuple[tuple[int, int], list[bytes]]:
    """The shape of the last latent, and the strings; all but the last have their length in front."""
    height, width, *lengths = struct.unpack_from(f"<2H{count - 1}I", data)
    start = 4 + 4 * len(lengths)
    strings = []
    for length in lengths:
        strings.append(data[start : start + length])
        start += length
    return (height, width), [*strings, data[start:]]


def _coders(model: Any) -> list[str]:
    return [name for name in ("entropy_bottleneck", "gaussian_conditional") if hasattr(model, name)]


def _load(architecture: str, file: Path) -> Any:
    """Raises ExtraMissingError, UsageError, WeightsError."""
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the import warns about other packages, which a user cannot fix
        model_architectures = need("compressai.zoo.image", "this codec", "compressai").model_architectures
    if architecture not in model_architectures:
        raise UsageError(f"CompressAI has no model '{architecture}'; it has {', '.join(model_architectures)}")
    try:
        found = torch.load(file, map_location="cpu", weights_only=True)
        state = next((found[key] for key in KEYS if key in found), found)
        model = model_architectures[architecture].from_state_dict(state)
    except Exception as error:  # pickle and torch raise any type
        raise WeightsError(f"{file} holds no weights of {architecture}: {error}") from error
    model.update(force=True)
    return model.eval()


ROW = CodecRow("compressai", "CompressAI", ".cai", Scale(1, 255), (1,), ZooCoder, OPTIONS)
