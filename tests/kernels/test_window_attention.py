"""Window attention under a softmax and under sigmoids: the kernel against plain torch, gradients too."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from s2lic.kernels import sigmoid_attention, window_attention
from s2lic.kernels.sigmoid_attention import naive as sigmoid_naive
from s2lic.kernels.sigmoid_attention import triton as sigmoid_triton
from s2lic.kernels.window_attention import naive, triton
from s2lic.transform.blocks.sigmoid_window import sigmoid_window
from s2lic.transform.blocks.swinv2 import WindowAttention
from s2lic.transform.window import MASKED, Grid, mask
from tests.kernels.closeness import assert_near, with_gradients

PLAIN = {"window_attention": naive.window_attention, "sigmoid_attention": sigmoid_naive.sigmoid_attention}
KERNEL = {"window_attention": triton.window_attention, "sigmoid_attention": sigmoid_triton.sigmoid_attention}
PUBLIC = {"window_attention": window_attention, "sigmoid_attention": sigmoid_attention}
MASK = 5
rules = pytest.mark.parametrize("rule", PLAIN)
# Pictures, windows, heads, tokens, width of a head: as in the codec, odd, little, large, none.
CASES = [
    ((1, 2, 2, 64, 32), True, torch.float32),
    ((2, 2, 1, 49, 12), False, torch.float32),
    ((2, 2, 1, 49, 12), True, torch.float64),
    ((1, 2, 2, 3, 2), True, torch.float64),
    ((1, 1, 1, 60, 60), False, torch.float32),
    ((0, 2, 2, 9, 8), False, torch.float32),
]


def name(value: object) -> str:
    return "x".join(map(str, value)) if isinstance(value, tuple) else str(value)


def hidden(windows: int, n: int) -> Tensor:
    """A mask that hides some keys of some windows, and all keys of one query."""
    torch.manual_seed(1)
    out = torch.where(torch.rand(windows, 1, n, n) < 0.3, MASKED, 0.0)
    out[0] = 0
    out[-1, :, 0] = MASKED
    return out


def drawn(shape: tuple[int, ...], dtype: torch.dtype, masks: bool, device: torch.device) -> list[Tensor | None]:
    """q, k, v, scale, bias, mask."""
    torch.manual_seed(0)
    _, windows, heads, n, _ = shape
    q, k, v = torch.randn(3, *shape, dtype=torch.float64).unbind()
    scale, bias = torch.rand(heads, 1, 1).double() * 12 + 1, 3 * torch.randn(heads, n, n).double()
    inputs = [*(x.to(device, dtype) for x in (q, k, v, scale, bias))]
    return [*inputs, hidden(windows, n).to(device) if masks else None]


@rules
@pytest.mark.parametrize(("shape", "masks", "dtype"), CASES, ids=name)
def test_the_kernel_and_its_gradients_are_those_of_plain_torch(
    rule: str, shape: tuple[int, ...], masks: bool, dtype: torch.dtype, device: torch.device
) -> None:
    inputs, slope = drawn(shape, dtype, masks, device), torch.randn(shape, dtype=dtype, device=device)
    found = with_gradients(KERNEL[rule], inputs, slope, frozen=[MASK])
    for one, other in zip(found, with_gradients(PLAIN[rule], inputs, slope, frozen=[MASK]), strict=True):
        assert one.dtype == dtype
        assert_near(one, other, dtype)


@rules
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_is_near_to_plain_torch_in_single_precision(
    rule: str, dtype: torch.dtype, device: torch.device
) -> None:
    shape = (1, 1, 2, 33, 20)
    inputs, slope = drawn(shape, dtype, False, device), torch.randn(shape, dtype=dtype, device=device)
    exact = [None if x is None else x.float() for x in inputs]
    found, expected = with_gradients(KERNEL[rule], inputs, slope), with_gradients(PLAIN[rule], exact, slope.float())
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == dtype
        assert_near(one, other, dtype)


@rules
def test_a_token_of_no_length_has_no_direction(rule: str, device: torch.device) -> None:
    inputs, slope = drawn((1, 1, 1, 4, 3), torch.float64, False, device), torch.ones(1, 1, 1, 4, 3, device=device)
    for x, at in zip(inputs[:2], (0, 3), strict=True):
        assert x is not None
        x[..., at, :] = 0
    found = with_gradients(KERNEL[rule], inputs, slope.double())
    for one, other in zip(found, with_gradients(PLAIN[rule], inputs, slope.double()), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-8, atol=1e-10)


@rules
def test_plain_torch_has_the_gradients_of_its_values(rule: str) -> None:
    q, k, v, scale, bias, _ = drawn((1, 2, 1, 4, 3), torch.float64, False, torch.device("cpu"))
    leaves = [x.requires_grad_() for x in (q, k, v, scale, bias[:, 1:])]
    hides = hidden(2, 4)[:, :, 1:]  # steps of 1e-6 are lost in logits that are hidden, so no query is without keys
    assert torch.autograd.gradcheck(lambda q, k, v, *x: PLAIN[rule](q[..., 1:, :], k, v, *x, hides), leaves)


@rules
def test_programs_that_walk_over_many_windows_add_up_the_same_gradients(
    rule: str, device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs = drawn((1, 5, 1, 9, 5), torch.float64, True, device)
    slope = torch.randn(1, 5, 1, 9, 5, dtype=torch.float64, device=device)
    monkeypatch.setattr(triton, "PROGRAMS", 2)
    found = with_gradients(KERNEL[rule], inputs, slope, frozen=[MASK])
    for one, other in zip(found, with_gradients(PLAIN[rule], inputs, slope, frozen=[MASK]), strict=True):
        assert_near(one, other, torch.float64)


@pytest.mark.parametrize("make", [WindowAttention, sigmoid_window], ids=list(PLAIN))
def test_a_block_of_padded_and_shifted_windows_is_the_same_on_either(
    make: Callable[..., WindowAttention], device: torch.device, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    net = make(6, 2, 4, 2).double().to(device)
    x = torch.randn(1, 6, 5, 6, dtype=torch.float64, device=device)
    runs = []
    for on_triton in (False, True):
        for public in PUBLIC.values():
            monkeypatch.setattr(public, "runs_on_triton", lambda *_, on=on_triton: on)
        out = net(x)
        runs.append([out, *torch.autograd.grad(out.square().sum(), list(net.parameters()))])
    for one, other in zip(*runs, strict=True):
        assert_near(other, one, torch.float64)


@rules
def test_joining_the_heads_of_an_output_moves_nothing(rule: str, device: torch.device) -> None:
    out = KERNEL[rule](*drawn((2, 4, 3, 16, 8), torch.float32, False, device))
    assert out.transpose(-3, -2).is_contiguous()


@rules
def test_no_output_depends_on_what_is_hidden(rule: str, device: torch.device) -> None:
    hides = mask(Grid(5, 7, 4, 2), device)
    q, k, v, scale, bias, _ = drawn((1, len(hides), 2, 16, 8), torch.float32, False, device)
    seen = (hides == 0).any(-2)[:, 0]  # keys that some query sees
    k2, v2 = (torch.where(seen[None, :, None, :, None], x, 7.0) for x in (k, v))
    one, other = (KERNEL[rule](q, *kv, scale, bias, hides) for kv in ((k, v), (k2, v2)))
    sees = (hides == 0).any(-1).squeeze(1)[None, :, None, :].expand(one.shape[:-1])
    assert not seen.all()
    assert torch.equal(one[sees], other[sees])


@rules
@pytest.mark.parametrize(
    ("on_triton", "n", "d", "kernel"),
    [(True, 64, 64, True), (True, 65, 64, False), (True, 64, 65, False), (False, 64, 64, False)],
)
def test_the_public_function_runs_what_was_picked_and_fits(
    rule: str, on_triton: bool, n: int, d: int, kernel: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = PUBLIC[rule]
    plain, fused = (naive, triton) if rule == "window_attention" else (sigmoid_naive, sigmoid_triton)
    monkeypatch.setattr(public, "runs_on_triton", lambda name, _: on_triton and name == rule)
    monkeypatch.setattr(plain, rule, lambda *x: (False, x))
    monkeypatch.setattr(fused, rule, lambda *x: (True, x))
    q, one = torch.ones(1, 1, 1, n, d), torch.ones(1)
    assert getattr(public, rule)(q, one, one, one, one, None) == (kernel, (q, one, one, one, one, None))
