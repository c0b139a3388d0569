"""A device that does not compute exactly is refused by name."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from s2lic.entropy.exact import layers
from s2lic.entropy.exact.known_answer import answer, check
from s2lic.errors import InexactDeviceError, WeightsError
from s2lic.weights import store
from s2lic.weights.store import load_bytes
from tests.entropy.exact.networks import fast, integers
from tests.frozen import MODEL

CPU = torch.device("cpu")


@pytest.mark.parametrize("carrier", [torch.float32, torch.float64])
def test_every_carrier_gives_the_same_answer(carrier: torch.dtype) -> None:
    check(fast(integers(0), carrier), CPU, answer(fast(integers(0)), CPU))


def test_an_integer_that_is_off_by_one_changes_the_answer() -> None:
    found = dict(integers(0))
    found["slices.2.lrp.fc2.bias"] = found["slices.2.lrp.fc2.bias"] + 512
    assert answer(fast(found), CPU) != answer(fast(integers(0)), CPU)


def test_sums_of_fewer_bits_are_refused_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    """As bf16 accumulators give them."""
    known, real = answer(fast(integers(0)), CPU), layers.convolve

    def reduced(x: Tensor, weight: Tensor) -> Tensor:
        return real(x, weight).bfloat16().to(x.dtype)

    monkeypatch.setattr(layers, "convolve", reduced)
    with pytest.raises(InexactDeviceError, match=r"cpu does not compute whole numbers .*--device cpu"):
        check(fast(integers(0)), CPU, known)


def test_a_file_is_checked_once_a_process_and_device(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[torch.device] = []
    monkeypatch.setattr(store, "_CHECKED", set())
    monkeypatch.setattr(store, "check", lambda networks, device, known: asked.append(device))
    for _ in range(2):
        load_bytes(MODEL.read_bytes(), MODEL)
    assert asked == [CPU]


def test_integers_that_do_not_fit_together_are_a_weights_error(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = store.parse(MODEL.read_bytes())
    tensors["exact.h_s.mix.weight"] = tensors["exact.h_s.mix.weight"][:, :-1].contiguous()
    data = store.serialise(tensors, metadata={"config": "tiny"})
    with pytest.raises(WeightsError, match="cannot be read as weights"):
        load_bytes(data, MODEL)


def test_a_file_of_the_first_profile_is_a_weights_error() -> None:
    kept = {name: value for name, value in store.parse(MODEL.read_bytes()).items() if not name.startswith("exact.")}
    with pytest.raises(WeightsError, match="no exact networks"):
        load_bytes(store.serialise(kept, metadata={"config": "tiny"}), MODEL)
