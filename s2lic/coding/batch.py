"""Many pictures or files at once: those of equal size go through the networks together.

What leads to symbols runs in float64, where a batch differs from a single picture by about 1e-15: the format allows for
that, and every decoder reads these files. g_a and g_s run in float32, where the two differ by about 1e-6. A CPU takes
pictures through them one by one, so that files and pictures are those of `encode` and `decode`; a GPU takes them
together, and now and then a symbol of a file is another one, or a pixel one level off.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.decoder import Opened
from s2lic.coding.encoder import Trials
from s2lic.coding.networks import Networks
from s2lic.entropy.latent_coder import LatentSize
from s2lic.progress import ProgressCallback, no_progress
from s2lic.transform.config import STRIDE

# So many pixels at a time: a CPU has enough to do with less, a GPU has the memory.
CPU_PIXELS, GPU_PIXELS = 2**16, 2**23

Key = tuple[LatentSize | None, bytes]  # of the only stream, if it is one, and what else must be equal


def encode_all(networks: Networks, trials: Sequence[Trials], level: int) -> list[bytes]:
    """The files of pictures at a level 0..10000, in their order."""
    files: dict[int, bytes] = {}
    for group in groups([(trial.size, b"") for trial in trials], _room(networks)):
        found = [trials[index] for index in group]
        files.update(zip(group, _encoded(networks, found, level), strict=True))
    return [files[index] for index in range(len(trials))]


def decode_all(opened: Sequence[Opened], jobs: int = 1, done: ProgressCallback = no_progress) -> list[Image.Image]:
    """The pictures of files, in their order. Raises the error of the first group of equal sizes that has one."""
    pictures: dict[int, Image.Image] = {}
    room = _room(opened[0].networks) if opened else 0
    for group in groups([(file.size, _alike(file)) for file in opened], room):
        found = [opened[index] for index in group]
        pictures.update(zip(group, _decoded(found, jobs, done), strict=True))
    return [pictures[index] for index in range(len(opened))]


def groups(keys: Sequence[Key], room: int) -> Iterator[list[int]]:
    """Where equal keys stand, as many at a time as have `room` pixels together; what has no size stands alone."""
    found: dict[Key | int, list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(index if key[0] is None else key, []).append(index)
    for indices in found.values():
        size, _ = keys[indices[0]]
        step = 1 if size is None else max(1, room // (STRIDE**2 * size.height * size.width))
        yield from (indices[start : start + step] for start in range(0, len(indices), step))


def _alike(file: Opened) -> bytes:
    """What must be equal where files go through g_s together: the weights and, if it is told, the quality."""
    networks = file.networks
    return networks.weights.model_id + networks.told(file.header.quality).to_bytes(2, "little")


def _alone(networks: Networks) -> bool:
    """Whether float32 networks take pictures one by one, to the bit as they do for a single one."""
    return networks.device.type == "cpu"


def _room(networks: Networks) -> int:
    return CPU_PIXELS if _alone(networks) else GPU_PIXELS


def _encoded(networks: Networks, trials: list[Trials], level: int) -> list[bytes]:
    if len(trials) == 1 or trials[0].effort:
        return [trial.plain(level) for trial in trials]
    y = _through(networks, partial(networks.analyse, level=level), [trial.x() for trial in trials])
    coded, _ = networks.code(y, level)
    return [trial.file(level, [stream]) for trial, stream in zip(trials, coded, strict=True)]


def _decoded(files: list[Opened], jobs: int, done: ProgressCallback) -> list[Image.Image]:
    size, networks = files[0].size, files[0].networks
    if len(files) == 1 or size is None:
        return [file.painted(jobs, done) for file in files]
    coded, levels = [file.coded[0] for file in files], torch.cat([file.levels for file in files])
    y_hat = networks.weights.coder.decode(coded, levels, size)
    synthesise = partial(networks.synthesise, level=files[0].header.quality)
    pixels = _through(networks, synthesise, list(y_hat.split(1)))
    return [_painted(file, *parts) for file, *parts in zip(files, y_hat.split(1), pixels.split(1), strict=True)]


def _painted(file: Opened, y_hat: Tensor, pixels: Tensor) -> Image.Image:
    return file.picture(lambda _: y_hat, lambda _: pixels)


def _through(networks: Networks, net: Callable[[Tensor], Tensor], inputs: list[Tensor]) -> Tensor:
    """What a float32 network makes of inputs of equal size."""
    if _alone(networks):
        return torch.cat([net(x) for x in inputs])
    return net(torch.cat(inputs))
