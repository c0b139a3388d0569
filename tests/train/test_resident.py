"""Crops cut on a device are those cut in memory."""

from __future__ import annotations

import torch

from s2lic.train.data import Photos
from s2lic.train.resident import Resident

CPU = torch.device("cpu")


def test_a_crop_on_a_device_is_the_same_cut_scaled_by_another_filter(photos: Photos) -> None:
    resident = Resident.of(photos, CPU)
    there, here = resident.batch(24, 96, (3, 1)), photos.batch(24, 96, (3, 1))
    difference = (there - here).abs().flatten(1).amax(1) * 255
    assert there.shape == here.shape
    assert (difference < 1e-3).sum() >= 6  # those that were not scaled are equal
    assert difference.max() < 16
    assert (there - here).abs().mean() * 255 < 0.5


def test_rows_of_a_batch_are_cut_as_in_the_whole(photos: Photos) -> None:
    for source in (photos, Resident.of(photos, CPU)):
        whole = source.batch(6, 64, (5, 2))
        assert torch.equal(source.batch(6, 64, (5, 2), slice(1, None, 2)), whole[1::2])
