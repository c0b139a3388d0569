"""A slow SwinV2 block, from the equations of Liu et al. 2022, one window and head at a time.

It knows no padding, no roll and no mask: a shifted window is the set of tokens of the map whose
rows and columns fall between the same two window borders, and tokens see only their own set
(Liu et al. 2021, figure 4).
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from s2lic.transform.blocks.swinv2 import PositionBias, WindowAttention
from s2lic.transform.group import Layer

LOGIT_SCALE_MAX = 100.0


def axis_groups(size: int, window: int, shift: int) -> list[list[int]]:
    """The coordinates between window borders; no shift where one window covers the axis."""
    if size <= window:
        shift = 0
    groups: dict[int, list[int]] = {}
    for at in range(size):
        groups.setdefault((at - shift) // window, []).append(at)
    return list(groups.values())


def log_spaced(delta: int, window: int) -> float:
    """Equation 4: sign(d) log(1 + |d|), d scaled to 8 at the edge, in units of log 8."""
    scaled = 8 * delta / (window - 1)
    return math.copysign(math.log(1 + abs(scaled)) / math.log(8), scaled)


def offset_table(window: int) -> Tensor:
    """(2w-1, 2w-1, 2) float64 of all offsets inside a window."""
    spaced = [log_spaced(d, window) for d in range(1 - window, window)]
    table = [[(row, col) for col in spaced] for row in spaced]
    return torch.tensor(table, dtype=torch.float64)


def position_bias(net: PositionBias, offset: Tensor) -> Tensor:
    """(heads,): 16 sigmoid(MLP(offset)), the MLP with one hidden layer of ReLU."""
    hidden = (net.fc1.weight @ offset + net.fc1.bias).clamp(min=0)
    return 16 / (1 + torch.exp(-(net.fc2.weight @ hidden)))


def softmax(logits: Tensor) -> Tensor:
    power = torch.exp(logits - logits.max())
    return power / power.sum()


def head_output(q: Tensor, k: Tensor, v: Tensor, scale: float, cells: list[tuple[int, int]], bias: Tensor) -> Tensor:
    """Equation 2 over one window: cos(q_i, k_j) / tau + B_ij; bias is a (2w-1, 2w-1) table."""
    middle = bias.shape[0] // 2
    rows = []
    for i, (row, col) in enumerate(cells):
        near = torch.stack([bias[middle + row - r, middle + col - c] for r, c in cells])
        cosine = (k @ q[i]) / (k.norm(dim=1) * q[i].norm())
        rows.append(softmax(cosine * scale + near) @ v)
    return torch.stack(rows)


def attention(net: WindowAttention, x: Tensor) -> Tensor:
    """(H, W, C) -> (H, W, C); queries and values carry a bias, keys do not."""
    height, width, dim = x.shape
    wq, wk, wv = net.qkv.weight.split(dim)
    q, k, v = x @ wq.T + net.q_bias, x @ wk.T, x @ wv.T + net.v_bias
    table = torch.stack(
        [torch.stack([position_bias(net.bias, offset) for offset in line]) for line in offset_table(net.window)]
    )
    out = torch.empty_like(x)
    for rows in axis_groups(height, net.window, net.shift):
        for cols in axis_groups(width, net.window, net.shift):
            cells = [(r, c) for r in rows for c in cols]
            index = torch.tensor(cells).T.unbind()
            for head, part in enumerate(torch.arange(dim).chunk(net.heads)):
                scale = min(math.exp(net.logit_scale[head].item()), LOGIT_SCALE_MAX)
                parts = (t[index][:, part] for t in (q, k, v))
                out[index[0][:, None], index[1][:, None], part] = head_output(*parts, scale, cells, table[..., head])
    return out @ net.proj.weight.T + net.proj.bias


def layer_norm(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    centred = x - x.mean(-1, keepdim=True)
    return centred / (centred.pow(2).mean(-1, keepdim=True) + 1e-5).sqrt() * weight + bias


def gelu(x: Tensor) -> Tensor:
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def block(net: Layer, x: Tensor) -> Tensor:
    """Figure 1 (b): the norms stand after the branches, inside the residuals."""
    x = x + layer_norm(attention(net.attn, x), net.norm1.weight, net.norm1.bias)
    hidden = gelu(x @ net.mlp.fc1.weight.T + net.mlp.fc1.bias)
    return x + layer_norm(hidden @ net.mlp.fc2.weight.T + net.mlp.fc2.bias, net.norm2.weight, net.norm2.bias)
