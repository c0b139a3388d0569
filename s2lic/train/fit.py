"""Tables that fit the symbols which a trained model sends, once its encoder has searched."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from s2lic.coding.networks import Networks
from s2lic.coding.search import Scene, Search, View, worth
from s2lic.defaults import EFFORT
from s2lic.entropy.census import Census, CountingWriter
from s2lic.entropy.latent_coder import encode_and_decode
from s2lic.entropy.quality import QUALITY_MAX
from s2lic.errors import UsageError
from s2lic.files import read_bytes
from s2lic.progress import Done, counted, unheard
from s2lic.train.data import Photos, Source
from s2lic.weights.store import load, retabled

SEED = 5  # of the crops; training has 0 unless it is told


def fitted(source: Path, folders: list[Path], crop: int, count: int, done: Done = unheard) -> bytes:
    """The weights file with tables that fit what it sends for so many crops of the pictures in folders.

    Raises InputMissingError, WeightsError, ConditionShapeError, UsageError for a crop that is no multiple of 64.
    """
    if crop % 64:
        raise UsageError(f"--crop {crop} is no multiple of 64")
    networks = Networks(load(source), torch.device("cpu"))
    photos = Photos.load(folders, crop, networks.weights.model.row.transform.cond)
    return retabled(read_bytes(source), count_symbols(networks, photos, crop, count, done).fitted())


def count_symbols(networks: Networks, photos: Source, crop: int, count: int, done: Done = unheard) -> Census:
    """What is sent for so many random crops, whose qualities lie evenly over the range; `done` hears of each.

    A Gaussian of the predicted scale tells the frequencies of symbols to about a percent of their bits: a search
    sends more zeros than that, and tails are heavier.
    """
    census = Census(networks.weights.tables)
    for turn in counted(range(count), count, done):
        x, beside = (cut(1, crop, (SEED, turn)) for cut in (photos.batch, photos.beside))
        assert x is not None
        level = int((turn + 0.5) / count * QUALITY_MAX)
        _count(networks, x.to(networks.device), beside, level, census)
    return census


def _count(networks: Networks, x: Tensor, beside: Tensor | None, level: int, census: Census) -> None:
    weights, levels = networks.weights, torch.tensor([level], device=networks.device)
    y = networks.analyse(x, networks.told(level), None if beside is None else beside.to(networks.device))
    view = View(x, y, (slice(None), slice(None)))
    scene = Scene(view, partial(networks.restore, level=level), worth(levels, None, x))
    aim = Search(scene, weights.quick_entropy, levels, None).run(EFFORT)
    writer = partial(CountingWriter, census=census)
    encode_and_decode(weights.model.entropy, weights.tables, y, levels, aim=aim, writer=writer)
