"""Many images or files at once: those of equal size go through the networks in one batch.

The exact networks compute with integers, so every decoder reads the files of a batch. g_a and g_s run in float32, where
a batch differs from a single image by about 1e-6. A CPU therefore runs them on one image at a time, and results equal
those of `encode` and `decode`. A GPU runs them on the batch: occasionally a symbol differs, or a pixel by one level.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.decoder import ParsedFile
from s2lic.coding.encoder import Encoder, PreparedPicture
from s2lic.coding.networks import Networks, pad, to_tensor
from s2lic.entropy.latent_size import LatentSize
from s2lic.runtime import ProgressCallback, no_progress
from s2lic.transform.config import STRIDE

# Pixels per batch. A CPU gains nothing from more, and a GPU has the memory.
CPU_PIXELS, GPU_PIXELS = 2**16, 2**23

Key = tuple[LatentSize | None, bytes]  # the latent size if there is one stream, and all else that must be equal


def encode_all(encoder: Encoder, pictures: Sequence[PreparedPicture], quality_level: int) -> list[bytes]:
    """The files of images at a quality level 0..10000, in order."""
    files: dict[int, bytes] = {}
    keys = [(picture.latent_size, b"") for picture in pictures]
    for group in groups(keys, _room(encoder.networks)):
        members = [pictures[index] for index in group]
        files.update(zip(group, _encode_group(encoder, members, quality_level), strict=True))
    return [files[index] for index in range(len(pictures))]


def decode_all(
    files: Sequence[ParsedFile[Networks]], jobs: int = 1, done: ProgressCallback = no_progress
) -> list[Image.Image]:
    """The images of files, in order. Raises the error of the first group of equal sizes that fails."""
    pictures: dict[int, Image.Image] = {}
    room = _room(files[0].networks) if files else 0
    for group in groups([(file.latent_size, _model_key(file)) for file in files], room):
        members = [files[index] for index in group]
        pictures.update(zip(group, _decode_group(members, jobs, done), strict=True))
    return [pictures[index] for index in range(len(files))]


def groups(keys: Sequence[Key], room: int) -> Iterator[list[int]]:
    """Group the indices of equal keys, with at most `room` pixels per group. A key without a size is its own group."""
    found: dict[Key | int, list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(index if key[0] is None else key, []).append(index)
    for indices in found.values():
        size, _ = keys[indices[0]]
        step = 1 if size is None else max(1, room // (STRIDE**2 * size.height * size.width))
        yield from (indices[start : start + step] for start in range(0, len(indices), step))


def _encode_group(encoder: Encoder, pictures: list[PreparedPicture], quality_level: int) -> list[bytes]:
    if len(pictures) == 1 or pictures[0].rounds:
        return [encoder.encode_at(picture, quality_level) for picture in pictures]
    networks = encoder.networks
    x = torch.cat([pad(to_tensor(picture.image)) for picture in pictures]).to(networks.device)
    y = torch.cat([networks.analyse(part, quality_level) for part in _float32_batches(networks, x)])
    streams, _ = networks.encode_latent(y, quality_level)
    return [encoder.write(picture, quality_level, [own]) for picture, own in zip(pictures, streams, strict=True)]


def _decode_group(files: list[ParsedFile[Networks]], jobs: int, done: ProgressCallback) -> list[Image.Image]:
    size, networks = files[0].latent_size, files[0].networks
    if len(files) == 1 or size is None:
        return [file.decode(jobs, done) for file in files]
    level = files[0].header.quality
    streams, levels = [file.streams[0] for file in files], [file.header.quality for file in files]
    y_hat = networks.decode_latent(streams, levels, size)
    pixels = torch.cat([networks.synthesise(part, level) for part in _float32_batches(networks, y_hat)])
    return [_assemble(file, own) for file, own in zip(files, pixels, strict=True)]


def _assemble(file: ParsedFile[Networks], pixels: Tensor) -> Image.Image:
    """The image of a file with one stream, from its padded pixels (3, H, W)."""
    whole = file.layout.whole
    return file.assemble([(whole, pixels[:, : whole.height, : whole.width])])


def _model_key(file: ParsedFile[Networks]) -> bytes:
    """What files must share to go through g_s in one batch: the weights, and the level that conditions g_s."""
    networks = file.networks
    return networks.weights.model_id + networks.condition_level(file.header.quality).to_bytes(2, "little")


def _alone(networks: Networks) -> bool:
    """Whether float32 networks run on one image at a time, so that results equal those of a single image."""
    return networks.device.type == "cpu"


def _room(networks: Networks) -> int:
    return CPU_PIXELS if _alone(networks) else GPU_PIXELS


def _float32_batches(networks: Networks, inputs: Tensor) -> list[Tensor]:
    """Split a batch into the parts that a float32 network runs on at once."""
    return list(inputs.split(1)) if _alone(networks) else [inputs]
