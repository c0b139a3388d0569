"""Our own codec."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from PIL import Image

from s2lic.coding.options import EncodeOptions
from s2lic.errors import UsageError
from s2lic.eval.codecs.base import CodecRow, Coder, Scale

PACKAGE = Path(__file__).parents[2]


class OurCoder(Coder):
    """`s2lic.Codec`. Its identity has the hashes of the weights and of the code, which determines the search."""

    def __init__(self, model: str | None, device: str, effort: int | None) -> None:
        from s2lic import __version__
        from s2lic.codec import Codec

        self.codec = Codec(device=device) if model is None else Codec(model, device=device)
        self.options, weights = EncodeOptions(effort=effort), self.codec.weights
        named = f"{weights.model.row.name}, weights {weights.model_id.hex()}"
        how = f"effort {'as usual' if effort is None else effort}, {device}, precision {self.codec.networks.precision}"
        self.identity = f"s2lic {__version__}, code {code_hash(PACKAGE)}, {named}, {how}"

    def encode(self, image: Image.Image, quality: float) -> bytes:
        return self.codec.encode_with(image, replace(self.options, quality=quality))

    def decode(self, data: bytes, size: tuple[int, int]) -> Image.Image:
        return self.codec.decode(data)


def code_hash(folder: Path) -> str:
    """A short hash of the Python files in a folder, names and contents."""
    digest = hashlib.sha256()
    for file in sorted(folder.rglob("*.py")):
        digest.update(f"{file.relative_to(folder).as_posix()}\n".encode())
        digest.update(hashlib.sha256(file.read_bytes()).digest())
    return digest.hexdigest()[:8]


def _open(options: Mapping[str, str]) -> Coder:
    return OurCoder(options.get("model"), options.get("device", "cpu"), _whole(options.get("effort")))


def _whole(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal():
        raise UsageError(f"s2lic.effort is a whole number, not '{text}'")
    return int(text)


OPTIONS = {"model": "shipped weights by name, or a weights file", "device": "cpu or cuda", "effort": "0 to 9"}
QUALITIES = (0, 12.5, 25, 37.5, 50, 62.5, 75, 87.5, 100)
ROW = CodecRow("s2lic", "s2lic", ".s2lic", Scale(0, 100, whole=False), QUALITIES, _open, OPTIONS)
