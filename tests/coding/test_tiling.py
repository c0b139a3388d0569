"""The walk over tiles: what is joined is what the whole picture has there, in order, few at a time."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from torch import Tensor

from s2lic.coding.tiling import joined, windows
from s2lic.container.tiles import Box, Cell, Layout
from s2lic.runtime import WorkerPool, worker_pool

LAYOUT = Layout(1000, 700, 320, 256)


def latent_of(layout: Layout, cell: Cell, whole: Tensor) -> Tensor:
    return cut(whole, layout.tile(*cell))


def cut(whole: Tensor, box: Box) -> Tensor:
    return whole[:, :, box.top // 16 : -(-box.bottom // 16), box.left // 16 : -(-box.right // 16)]


@pytest.fixture(scope="module")
def whole() -> Tensor:
    return torch.rand(1, 2, 44, 63, generator=torch.Generator().manual_seed(0))


def test_tiles_are_joined_to_what_the_whole_latent_has_there(whole: Tensor) -> None:
    found = dict(joined((cell, latent_of(LAYOUT, cell, whole)) for cell in LAYOUT.cells()))
    assert list(found) == list(LAYOUT.cells())
    for cell, y in found.items():
        assert torch.equal(y, cut(whole, LAYOUT.seen(*cell)))


@pytest.mark.parametrize("jobs", [1, 3])
@pytest.mark.parametrize("area", [LAYOUT.whole, Box(300, 250, 301, 251), Box(500, 0, 900, 600)])
def test_windows_hold_the_pixels_of_the_whole(whole: Tensor, area: Box, jobs: int) -> None:
    picture = upsampled(whole)[0]
    painted = torch.full((2, LAYOUT.height, LAYOUT.width), -1.0)
    for box, pixels in windows(LAYOUT, area, lambda cell: latent_of(LAYOUT, cell, whole), upsampled, jobs):
        painted[:, box.top : box.bottom, box.left : box.right] = pixels
    part = slice(area.top, area.bottom), slice(area.left, area.right)
    assert torch.equal(painted[:, part[0], part[1]], picture[:, part[0], part[1]])


def upsampled(y: Tensor) -> Tensor:
    return y.repeat_interleave(16, 2).repeat_interleave(16, 3)


def test_results_come_in_order_and_few_items_are_taken_ahead() -> None:
    taken: list[int] = []

    def items() -> Iterator[int]:
        for number in range(10):
            taken.append(number)
            yield number

    with worker_pool(3, 10) as pool:
        results = pool.map(lambda number: number * number, items())
        for count, result in enumerate(results):
            assert result == count * count
            assert len(taken) <= count + 3


def test_threads_work_at_the_same_time() -> None:
    barrier = threading.Barrier(2, timeout=60)
    with worker_pool(2, 2) as pool:
        assert sorted(pool.map(lambda _: barrier.wait(), [0, 1])) == [0, 1]


def test_one_item_needs_no_threads() -> None:
    with worker_pool(4, 1) as pool:
        assert pool == WorkerPool(None, 1)


def test_an_error_in_a_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError), worker_pool(2, 5) as pool:
        list(pool.map(lambda number: 1 // number, [1, 1, 0, 1, 1]))
