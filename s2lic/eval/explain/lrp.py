"""Layer-wise relevance propagation (Bach et al. 2015; in Li et al. 2017, Salient Relevance) by one backward pass.

The relevance of an input is gradient times input of the network, where everything but the linear maps is held
constant: activations by their ratio to the input, norms by their denominators, attention weights and gates by their
values. Each of two variable factors gets half of the relevance. Linear maps pass relevance on by a rule, `epsilon` or
`zplus`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

LINEAR = (torch.conv1d, torch.conv2d, torch.conv_transpose2d, F.linear)
HELD_RATIO = (F.gelu, F.silu, F.hardswish, torch.tanh, Tensor.tanh)
HELD = (
    torch.softmax, F.softmax, Tensor.softmax, torch.sigmoid, Tensor.sigmoid, F.softplus, torch.exp, Tensor.exp,
    torch.logsumexp,
)  # fmt: skip
PRODUCTS = (torch.mul, Tensor.mul, Tensor.__mul__, Tensor.__rmul__, torch.matmul, Tensor.matmul, Tensor.__matmul__)
QUOTIENTS = (torch.div, Tensor.div, Tensor.__truediv__)
# The equivalents in exported networks.
ATEN = {
    torch.ops.aten.conv1d.default: torch.conv1d,
    torch.ops.aten.conv2d.default: torch.conv2d,
    torch.ops.aten.conv2d.padding: torch.conv2d,
    torch.ops.aten.linear.default: F.linear,
    torch.ops.aten.gelu.default: F.gelu,
    torch.ops.aten.silu.default: F.silu,
    torch.ops.aten.hardswish.default: F.hardswish,
    torch.ops.aten.tanh.default: torch.tanh,
    torch.ops.aten.softmax.int: torch.softmax,
    torch.ops.aten.sigmoid.default: torch.sigmoid,
    torch.ops.aten.exp.default: torch.exp,
    torch.ops.aten.mul.Tensor: torch.mul,
    torch.ops.aten.matmul.default: torch.matmul,
    torch.ops.aten.div.Tensor: torch.div,
    torch.ops.aten.layer_norm.default: F.layer_norm,
    torch.ops.aten.scaled_dot_product_attention.default: F.scaled_dot_product_attention,
}


class Rules(TorchFunctionMode):
    """A mode in which gradients propagate relevance. Values stay unchanged.

    Args:
        epsilon: The stabiliser of small sums, relative to the root mean square of the layer.
        zplus: Whether only products of equal signs pass relevance on, so that none is negative.
    """

    def __init__(self, epsilon: float = 1e-2, zplus: bool = False) -> None:
        super().__init__()
        self.epsilon, self.zplus = epsilon, zplus

    def __torch_function__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        out, func = func(*args, **kwargs), ATEN.get(func, func)
        if not isinstance(out, Tensor) or not out.requires_grad:
            return out
        if func in LINEAR:
            return self._linear(func, out, args, kwargs)
        return _not_linear(func, out, args, kwargs)

    def _linear(self, func: Any, out: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
        if not self.zplus:
            return _with_gradient_of(out, out * _over(out, stabilised(out, self.epsilon)).detach())
        x, weight = args[:2]
        tail = args[3:]
        plus = func(x.clamp(min=0), weight.clamp(min=0), None, *tail, **kwargs)
        plus = plus + func(x.clamp(max=0), weight.clamp(max=0), None, *tail)
        return _with_gradient_of(out, plus * _over(out, plus).detach())


def relevance(net: Callable[[Tensor], Tensor], x: Tensor, given: Callable[[Tensor], Tensor], rules: Rules) -> Tensor:
    """The contribution of each element of x to the relevance `given(net(x))`, in the shape of x.

    The parameters of `net` must not require gradients.
    """
    x = x.detach().clone().requires_grad_()
    with torch.enable_grad(), rules:
        out = net(x)
    seed = _over(given(out.detach()), stabilised(out.detach(), rules.epsilon))
    (gradient,) = torch.autograd.grad(out, x, seed)
    return gradient * x.detach()


def stabilised(z: Tensor, epsilon: float) -> Tensor:
    """z, moved away from 0 by `epsilon` times its root mean square."""
    return z + torch.where(z < 0, -1.0, 1.0).to(z.dtype) * epsilon * z.detach().square().mean().sqrt()


def _not_linear(func: Any, out: Tensor, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Tensor:
    """`out` with the gradient that passes relevance through a nonlinear function."""
    if func in BY_PARTS:
        return BY_PARTS[func](*args, **kwargs)
    if func in HELD:
        return out.detach()
    if func in HELD_RATIO:
        return args[0] * _over(out, args[0]).detach()  # type: ignore[no-any-return]
    if func in PRODUCTS and _live(args[1]) and _live(args[0]):
        return (func(args[0].detach(), args[1]) + func(args[0], args[1].detach())) / 2  # type: ignore[no-any-return]
    if func in QUOTIENTS and _live(args[1]):
        return args[0] / args[1].detach()  # type: ignore[no-any-return]
    return out


def _layer_norm(
    x: Tensor,
    shape: Sequence[int],
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    eps: float = 1e-5,
    *_: bool,
) -> Tensor:
    """Layer norm with a constant standard deviation."""
    axes = tuple(range(-len(shape), 0))
    centred = x - x.mean(axes, keepdim=True)
    out = centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt().detach()
    out = out if weight is None else out * weight
    return out if bias is None else out + bias


def _attention(q: Tensor, k: Tensor, v: Tensor, *options: Any, **named: Any) -> Tensor:
    """Attention with constant weights."""
    return F.scaled_dot_product_attention(q.detach(), k.detach(), v, *options, **named)


BY_PARTS: dict[Any, Callable[..., Tensor]] = {
    F.layer_norm: _layer_norm,
    F.scaled_dot_product_attention: _attention,
}


def _with_gradient_of(value: Tensor, path: Tensor) -> Tensor:
    return path + (value - path).detach()


def _over(a: Tensor, b: Tensor) -> Tensor:
    """a / b; 0 where b is 0."""
    return torch.where(b == 0, 0.0, a / torch.where(b == 0, 1.0, b))


def _live(x: Any) -> bool:
    return isinstance(x, Tensor) and x.requires_grad
