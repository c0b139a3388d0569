"""Conversion of a trained entropy model to the integers of the exact networks, given the ranges of its layers."""

from __future__ import annotations

import math
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor

from s2lic.entropy.acgc import Acgc, AxisBias, ChannelNorm, DeformableAttention, Depthwise, Gate
from s2lic.entropy.exact.fixed import FixedPoint, snap
from s2lic.entropy.exact.limits import (
    ACTIVATION,
    BIAS,
    BIAS_REACH,
    BRANCH,
    GATE_ONE,
    MEAN,
    MEAN_BITS,
    NORM_ONE,
    OCTAVE,
    OFFSET_ONE,
    POINT,
    PRE,
    VALUE,
    Y_ONE,
    Z_LIMITS,
    Z_ONE,
    key_limit,
)
from s2lic.entropy.exact.networks import OCTAVE_FLOOR
from s2lic.entropy.exact.quantise import (
    GELU_END,
    GELU_MAX,
    SIGMOID_END,
    TANH_END,
    Found,
    Rows,
    affine,
    exponent,
    gelu,
    gelu_table,
    inputs,
    modulated,
    pre_exponent,
    prefixed,
    scalar,
    table_grid,
)
from s2lic.entropy.exact.ranges import INPUT, Range, Ranges
from s2lic.entropy.model import EntropyModel
from s2lic.entropy.slices import INPUT_SCALE, Slice

# The exponential table: 256 entries per factor e, from the largest value 511 down to e^-8 of it.
EXP_BITS, EXP_ENTRIES, EXP_ONE = 8, 2048, 511


def gate(module: Gate, x: FixedPoint, ranges: Ranges, name: str, bits: Tensor) -> Found:
    """The integers of a gate. Its output n means n / 2^bits."""
    fc1 = scalar(PRE[1], ranges[f"{name}.fc1"].magnitude)
    found = prefixed("fc1", affine(module.fc1, x, fc1))
    norm, grid = channel_norm(module.norm, fc1, ranges[f"{name}.norm"])
    pre = pre_exponent(ranges[f"{name}.fc2"], SIGMOID_END, both=True)
    table = snap(inputs(pre).sigmoid() * torch.exp2(bits))
    return {**found, **prefixed("norm", norm), **prefixed("fc2", affine(module.fc2, grid, pre)), "fc2.table": table}


def channel_norm(module: ChannelNorm, given: Tensor, seen: Range) -> tuple[Found, FixedPoint]:
    """The integers of a channel norm, and the grid of its output.

    The quotient has 12 fractional bits. Gain and offset are a convolution with one weight per channel.
    """
    count = module.weight.numel()
    floor = (count**3 * module.eps * torch.exp2(2 * given)).round().clamp(min=1).float().double()
    unit = FixedPoint.of(torch.full((count,), math.log2(NORM_ONE), dtype=torch.float64), -NORM_ONE, NORM_ONE)
    weight = (module.weight * math.sqrt(count))[:, None, None, None]
    pre = pre_exponent(seen, GELU_END)
    out = scalar(GELU_MAX, F.gelu(seen.high.amax().double()))
    table = gelu_table(pre, out)
    layer = affine(module, unit, pre, weight)
    found = {"slope": layer["weight"].flatten(), "offset": layer["bias"], "shift": layer["shift"], "table": table}
    found["floor"] = floor
    return found, table_grid(table, out, count)


def axis_bias(module: AxisBias, bits: Tensor) -> Tensor:
    """The bias of every distance in units of the logits, (heads, entries)."""
    distance = torch.arange(-BIAS_REACH, BIAS_REACH, dtype=torch.float64) / POINT
    spaced = torch.sign(distance) * torch.log1p(distance.abs())
    hidden = F.gelu(F.linear(spaced[:, None], module.fc1.weight.double(), module.fc1.bias.double()))
    return snap(F.linear(hidden, module.fc2.weight.double()).T * torch.exp2(bits)).clamp(-BIAS, BIAS)


def attention(module: DeformableAttention, x: FixedPoint, ranges: Ranges, name: str) -> tuple[Found, FixedPoint]:
    """The integers of the deformable attention, and the grid of its output."""
    width, heads = len(module.to_q.weight), module.heads
    head_width = width // heads
    keys, values = module.to_kv.weight.chunk(2)
    of_keys, of_values = module.to_kv.bias.chunk(2)
    seen, root = ranges[f"{name}.to_kv"].magnitude, 1 / math.sqrt(head_width)
    q = scalar(ACTIVATION[1], ranges[f"{name}.to_q"].magnitude)
    k = scalar(key_limit(head_width), seen[:width] * root)
    v = exponent(VALUE[1], seen[width:])
    spread = pre_exponent(ranges[f"{name}.spread"], GELU_END)
    pooled_out = scalar(GELU_MAX, F.gelu(ranges[f"{name}.spread"].high.amax().double()))
    pooled = gelu_table(spread, pooled_out)
    offset = pre_exponent(ranges[f"{name}.to_offset"], TANH_END, both=True)
    grid = FixedPoint.of(q.expand(width), *ACTIVATION)
    found = {
        **prefixed("to_q", affine(module.to_q, x, q)),
        **prefixed("to_k", affine(Rows(keys * root, of_keys * root), x, k)),
        **prefixed("to_v", affine(Rows(values, of_values), x, v)),
        **prefixed("spread", affine(module.spread, grid, spread)),
        "spread.table": pooled,
        **prefixed("to_offset", affine(module.to_offset, table_grid(pooled, pooled_out, width), offset)),
        "to_offset.table": snap(inputs(offset).tanh() * OFFSET_ONE),
        "row_bias": axis_bias(module.row_bias, q + k),
        "col_bias": axis_bias(module.col_bias, q + k),
        "exponential": exponential_table(),
        "logit_shift": EXP_BITS - q - k,
    }
    reach = VALUE[1] << MEAN_BITS
    return found, FixedPoint.of(v + MEAN_BITS, -reach, reach)


def exponential_table() -> Tensor:
    """exp(-d) for the distance d from the largest logit. Each entry has the value at the middle of its interval."""
    middle = torch.arange(EXP_ENTRIES, dtype=torch.float64) + 0.5
    return snap(torch.exp(-middle / 2**EXP_BITS) * EXP_ONE)


def branch(module: Depthwise, x: FixedPoint, ranges: Ranges, name: str, out: Tensor) -> Found:
    """The integers of a depth-wise branch whose output has the exponents `out`."""
    spread, grid = gelu(module.spread, x, ranges[f"{name}.spread"])
    return {**prefixed("spread", spread), **prefixed("mix", affine(module.mix, grid, out))}


def acgc(module: Acgc, x: FixedPoint, ranges: Ranges, name: str) -> tuple[Found, FixedPoint]:
    """The integers of the context networks of a slice, and the grid of their output."""
    near, far = f"{name}.local", f"{name}.globally"
    dim = len(module.local.conv2.weight)
    of_gelu = F.gelu(ranges[f"{near}.conv2"].high.amax().double()).reshape(1)
    near_out = scalar(BRANCH[1], torch.cat([of_gelu, ranges[f"{near}.depthwise.mix"].magnitude.double()]))
    mixes = [ranges[f"{far}.{part}mix"].magnitude for part in ("", "depthwise.")]
    far_out = scalar(BRANCH[1], torch.cat(mixes))
    conv1, grid = gelu(module.local.conv1, x, ranges[f"{near}.conv1"])
    conv2, _ = gelu(module.local.conv2, grid, ranges[f"{near}.conv2"], near_out)
    attended, seen = attention(module.globally.attention, x, ranges, f"{far}.attention")
    conv, wide = gelu(module.globally.conv, seen, ranges[f"{far}.conv"])
    sums = torch.minimum(near_out, far_out) + math.log2(GATE_ONE)
    near_grid = FixedPoint.of(near_out.expand(dim), 2 * BRANCH[0], 2 * BRANCH[1])
    far_grid = FixedPoint.of(far_out.expand(dim) + 2, 8 * BRANCH[0], 8 * BRANCH[1])  # four times the mean
    out = exponent(ACTIVATION[1], ranges[name].magnitude)
    found = {
        **prefixed("local.conv1", conv1),
        **prefixed("local.conv2", conv2),
        **prefixed("local.depthwise", branch(module.local.depthwise, x, ranges, f"{near}.depthwise", near_out)),
        **prefixed("globally.attention", attended),
        **prefixed("globally.conv", conv),
        **prefixed("globally.mix", affine(module.globally.mix, wide, far_out)),
        **prefixed("globally.depthwise", branch(module.globally.depthwise, x, ranges, f"{far}.depthwise", far_out)),
        **prefixed("spatial_map", gate(module.spatial_map, near_grid, ranges, f"{name}.spatial_map", sums - far_out)),
        **prefixed("channel_map", gate(module.channel_map, far_grid, ranges, f"{name}.channel_map", sums - near_out)),
        "shift": out - sums,
    }
    return found, FixedPoint.of(out, *ACTIVATION)


def hyper_synthesis(model: EntropyModel, ranges: Ranges) -> tuple[Found, FixedPoint]:
    """The integers of h_s, and the grid of the hyper features."""
    nets = model.h_s
    z = ranges["h_s" + INPUT].magnitude
    first, grid = gelu(nets.first, z_grid(z), ranges["h_s.first"])
    up1, grid = gelu(nets.up1, grid, ranges["h_s.up1"])
    mix, grid = gelu(nets.mix, grid, ranges["h_s.mix"])
    up2, modulate, grid = modulated(nets.modulate, nets.up2, grid, ranges["h_s.up2"], ranges["h_s.modulate"])
    out = exponent(ACTIVATION[1], ranges["h_s.last"].magnitude)
    parts = {"first": first, "up1": up1, "mix": mix, "up2": up2, "modulate": modulate}
    parts["last"] = affine(nets.last, grid, out)
    return {k: v for name, part in parts.items() for k, v in prefixed(name, part).items()}, FixedPoint.of(
        out, *ACTIVATION
    )


def z_grid(magnitude: Tensor) -> FixedPoint:
    """The grid of z_hat, one entry per channel."""
    return FixedPoint.of(torch.full((len(magnitude),), math.log2(Z_ONE), dtype=torch.float64), *Z_LIMITS)


def walk_slice(
    module: Slice, hyper: FixedPoint, before: FixedPoint | None, own: FixedPoint, ranges: Ranges, name: str
) -> tuple[Found, Tensor]:
    """The integers of the networks of a slice, and the exponents of its means."""
    c = module.channels
    found: Found = {}
    known = [hyper]
    if before is not None:
        assert module.acgc is not None
        context, grid = acgc(module.acgc, before, ranges, f"{name}.acgc")
        found |= prefixed("acgc", context)
        known.append(grid)
    local = exponent(ACTIVATION[1], ranges[f"{name}.local"].magnitude)
    size = module.local.weight.shape[-1]
    odd = (torch.arange(size * size) % 2).view(size, size)
    found |= prefixed("local", affine(module.local, own, local, module.local.weight * odd))
    nets = module.parameters_net
    features = FixedPoint.cat([*known, FixedPoint.of(local, *ACTIVATION)])
    path = f"{name}.parameters_net"
    around = ranges[f"{path}.fc1"], ranges[f"{path}.modulate"]
    fc1, modulate, grid = modulated(nets.modulate, nets.fc1, features, *around)
    means = exponent(MEAN[1] / 2, ranges[f"{path}.fc2"].magnitude[:c])
    unit = OCTAVE / math.log(2)
    scaled = torch.cat([torch.ones(c), torch.full((c,), unit)])
    moved = torch.cat([torch.zeros(c), torch.full((c,), -OCTAVE * OCTAVE_FLOOR)])
    fc2 = Rows(nets.fc2.weight * scaled[:, None], nets.fc2.bias * scaled + moved)
    out = torch.cat([means, torch.zeros(c)])
    found |= prefixed("parameters_net.fc1", fc1) | prefixed("parameters_net.modulate", modulate)
    found |= prefixed("parameters_net.fc2", affine(fc2, grid, out))
    seen = FixedPoint.cat([hyper[:c], *([] if before is None else [before]), own])
    first, grid = gelu(module.lrp.fc1, seen, ranges[f"{name}.lrp.fc1"])
    pre = pre_exponent(ranges[f"{name}.lrp.fc2"], TANH_END, both=True)
    found |= prefixed("lrp.fc1", first) | prefixed("lrp.fc2", affine(module.lrp.fc2, grid, pre))
    found["lrp.fc2.table"] = snap(inputs(pre).tanh() * (Y_ONE / 2))
    return found, means


def quantised(model: EntropyModel, ranges: Ranges) -> Found:
    """All integers of the exact networks, float64, by name."""
    nets, hyper = hyper_synthesis(model, ranges)
    found, means = prefixed("h_s", nets), []
    inputs_of_lrp = [ranges[f"walk.slices.{i}.lrp{INPUT}"].magnitude[-c:] for i, c in enumerate(model.row.slices)]
    own = exponent(ACTIVATION[1], torch.cat(inputs_of_lrp) / INPUT_SCALE)
    context = FixedPoint.of(own - math.log2(INPUT_SCALE), *ACTIVATION)
    for index, (first, last) in enumerate(pairwise(accumulate(model.row.slices, initial=0))):
        module, before = model.walk.slices[index], context[slice(0, first)] if index else None
        assert isinstance(module, Slice)
        grids = hyper[slice(2 * first, 2 * last)], before, context[slice(first, last)]
        nets, mean = walk_slice(module, *grids, ranges, f"walk.slices.{index}")
        found |= prefixed(f"slices.{index}", nets)
        means.append(mean)
    found["log_gain"] = snap(model.gains.log_gain.double() * (OCTAVE / math.log(2)))
    found["z_centre"] = snap(model.z_centre.double() * Z_ONE)
    found["mean_exponent"], found["context_exponent"] = torch.cat(means), own
    return found
