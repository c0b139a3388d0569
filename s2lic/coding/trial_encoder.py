"""Encoding of one picture at several qualities for a target: measured files, and estimates that cost less."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterable
from functools import partial

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from s2lic.coding.encoder import Encoder, PreparedPicture
from s2lic.coding.fidelity import FIDELITIES
from s2lic.coding.options import EncodeOptions
from s2lic.coding.rate_control import RateTrial, solve
from s2lic.coding.rate_estimate import BlockEstimator
from s2lic.coding.search import TileView
from s2lic.coding.targets import TargetKind
from s2lic.coding.tiling import Window, decode_windows, paste_windows
from s2lic.container.tiles import Cell
from s2lic.entropy.latent_coder import RateEstimate
from s2lic.entropy.rounding import QuantTarget
from s2lic.entropy.symbol_coder import SymbolStream
from s2lic.errors import TargetRangeError
from s2lic.images.load import ImageLike

HEADER_BYTES = 35
# A search takes longer than everything else, so a target gets at most two. The result of a search also serves nearby
# levels: 100 above its own level it costs 1 % more bits and error. Its symbols change faster with the level.
SEARCHES, NEAR, STEEPER = 2, 30, 2.0
# Views, about 20 bytes per pixel, are kept from trial to trial for pictures of at most this size.
KEPT_PIXELS = 2**22


def encode_to_target(encoder: Encoder, image: ImageLike, options: EncodeOptions) -> RateTrial:
    """The file of a picture that is nearest to the target of the options, and its value.

    Raises:
        TargetRangeError: No quality reaches the target, or the picture is too small for it.
        ImageError, ConditionError: As `Encoder.prepare` does.
    """
    picture = encoder.prepare(image, options)
    target = options.target(picture.image.width * picture.image.height)
    if min(picture.image.size) < target.kind.side_min:
        raise TargetRangeError(
            f"this target needs an image of at least {target.kind.side_min} pixels a side; give a quality or another "
            "target"
        )
    return solve(target, TrialEncoder(encoder, picture, target.kind))


class TrialEncoder:
    """Encodes one picture at several qualities for one kind of target.

    The output of g_a is kept between trials if it fits into memory, because g_a does not depend on the quality unless
    one of its blocks is conditioned on it. Results of searches are kept too.

    Args:
        encoder: The encoder of single files.
        picture: The picture.
        kind: What is estimated and measured.
    """

    def __init__(self, encoder: Encoder, picture: PreparedPicture, kind: TargetKind) -> None:
        self._encoder, self._picture, self._kind = encoder, picture, kind
        self._pixels = picture.image.width * picture.image.height
        self._fixed_bits = 8 * (len(picture.roi_box) + sum(map(len, picture.extras.values())) + HEADER_BYTES)
        self._blocks = BlockEstimator(encoder.networks, picture, kind)
        self._views: dict[Cell, tuple[int, TileView]] = {}
        self._found: dict[int, dict[Cell, QuantTarget]] = {}  # results of searches by level and tile
        self._choosing = threading.Lock()  # several tiles are worked on at once

    @property
    def searches(self) -> bool:
        return self._picture.rounds > 0

    @property
    def keeps(self) -> bool:
        return self._pixels <= KEPT_PIXELS

    def measure(self, quality_level: int) -> RateTrial:
        """The file at a level 0..10000, and its value on the scale of the kind."""
        measure = self._measure_fidelity if self._kind.needs_decoding else self._measure_rate
        return measure(quality_level)

    def _measure_rate(self, quality_level: int) -> RateTrial:
        streams = self._encoder.encode_tiles(self._picture, lambda cell: self._encode_tile(cell, quality_level)[0])
        data = self._encoder.write(self._picture, quality_level, streams)
        return self._trial(data, math.log(8 * len(data) / self._pixels))

    def _measure_fidelity(self, quality_level: int) -> RateTrial:
        """The file, and the fidelity of the picture that it will be decoded to."""
        layout, streams = self._picture.layout, dict[Cell, SymbolStream]()

        def latent(cell: Cell) -> Tensor:
            streams[cell], y_hat = self._encode_tile(cell, quality_level)
            return y_hat.float()

        synthesise, encoder = partial(self._encoder.networks.synthesise, level=quality_level), self._encoder
        fidelity = self._fidelity(decode_windows(layout, layout.whole, latent, synthesise, encoder.jobs, encoder.done))
        data = encoder.write(self._picture, quality_level, [streams[cell] for cell in layout.cells()])
        return self._trial(data, fidelity)

    def estimate(self, quality_level: int) -> float:
        """Estimate the value of the file: from the whole picture if a search takes longer anyway, else from blocks."""
        value = self._estimate_fidelity if self._kind.needs_decoding else self._estimate_rate
        return value(quality_level)

    def _estimate_rate(self, quality_level: int) -> float:
        bits = float(self._whole(quality_level).bits.sum()) if self._takes_whole else self._blocks.bits(quality_level)
        return math.log((self._fixed_bits + bits * math.exp(-self._search_drop)) / self._pixels)

    def _estimate_fidelity(self, quality_level: int) -> float:
        if not self._takes_whole:
            return self._blocks.fidelity(quality_level, FIDELITIES[self._kind]) - self._search_drop
        whole = self._picture.layout.whole
        pixels = self._encoder.networks.synthesise(self._whole(quality_level).y_hat, quality_level)
        return self._fidelity([(whole, pixels[0, :, : whole.height, : whole.width])]) - self._search_drop

    @property
    def _takes_whole(self) -> bool:
        return self.searches and self._picture.latent_size is not None

    @property
    def _search_drop(self) -> float:
        return self._kind.search_drop if self.searches else 0.0

    def _whole(self, quality_level: int) -> RateEstimate:
        """The estimate for a whole picture in one stream, without a search."""
        y, networks = self._view((0, 0), quality_level).tile(), self._encoder.networks
        levels = torch.tensor([quality_level], device=networks.device)
        return networks.weights.coder.estimate(y, levels, QuantTarget(y), self._picture.step_exponents((0, 0)))

    def _fidelity(self, windows: Iterable[Window]) -> float:
        image = self._picture.image
        decoded = paste_windows(windows, self._picture.layout.whole, grey=image.mode == "L")
        return FIDELITIES[self._kind](_samples(image), _samples(decoded))

    def _trial(self, data: bytes, value: float) -> RateTrial:
        steeper = STEEPER if len(self._found) == SEARCHES and self._found_any() else 1.0
        return RateTrial(data, value, line=len(self._found), steeper=steeper)

    def _encode_tile(self, cell: Cell, quality_level: int) -> tuple[SymbolStream, Tensor]:
        view = self._view(cell, quality_level)
        target = self._quant_target(cell, view, quality_level) if self.searches else None
        return self._encoder.encode_view(self._picture, cell, view, quality_level, target)

    def _view(self, cell: Cell, quality_level: int) -> TileView:
        level = self._encoder.networks.condition_level(quality_level)
        if cell in self._views and self._views[cell][0] == level:
            return self._views[cell][1]
        view = self._encoder.analyse_tile(self._picture, cell, quality_level)
        if self.keeps:
            self._views[cell] = level, view
        return view

    def _quant_target(self, cell: Cell, view: TileView, quality_level: int) -> QuantTarget:
        """The result of a search at the level, or of the last search if that is good enough."""
        if not self.keeps:
            return self._encoder.search_tile(self._picture, cell, view, quality_level)
        with self._choosing:
            if self._needs_search(quality_level):
                self._found.setdefault(quality_level, {})
            found = self._found[next(reversed(self._found))]
        if cell not in found:
            target = self._encoder.search_tile(self._picture, cell, view, quality_level)
            with self._choosing:
                found[cell] = target
        return found[cell]

    def _needs_search(self, quality_level: int) -> bool:
        if not self._found:
            return True
        far = all(abs(quality_level - known) > NEAR for known in self._found)
        return far and len(self._found) < SEARCHES and self._found_any()

    def _found_any(self) -> bool:
        """Whether the last search improved on the y of g_a in any tile."""
        return any(target.searched for target in self._found[next(reversed(self._found))].values())


def _samples(image: Image.Image) -> Tensor:
    """The pixels of a picture, (1, C, H, W) uint8."""
    pixels = torch.from_numpy(np.array(image))
    return pixels[None, None] if pixels.dim() == 2 else pixels.permute(2, 0, 1)[None]
