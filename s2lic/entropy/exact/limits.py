"""Units and limits of the integers of the exact networks. This module does not import torch."""

from __future__ import annotations

# Powers of two with fractional exponents are computed from a table of one octave.
OCTAVE, MANTISSA_BITS = 1024, 15
LEVELS = 10_000
# Limits of integers: inputs of affine layers, inputs of tables and modulations, means of y.
ACTIVATION = (-512, 511)
PRE = (-2048, 2047)
MEAN = (-32768, 32767)
# Branches of ACGC before they are added.
BRANCH = (-1024, 1023)
# The value 1 in a gate, in the slope of a modulation and in a channel norm.
GATE_ONE, SLOPE_ONE, NORM_ONE = 2048, 1024, 4096

# Attention samples points on a grid of at most 16 x 16. Offsets are at most two of its cells (s in the paper, ACGC), so
# that points stay near their cells.
GRID_MAX, OFFSET_REACH = 16, 2.0
# Points lie on sixteenths of a position. A position bias is a table over the distance in sixteenths.
POINT, OFFSET_ONE = 16, 1024
BIAS_REACH = 2048
# Values have 8 bits and exponentials 9, so that sums over 256 keys stay below 2^24. Means have 2 bits more.
VALUE = (-127, 127)
MEAN_BITS = 2
# Limits of query-key products and of the position bias of each axis.
LOGIT, BIAS = 2**22, 2**20

# z_hat is a multiple of 1/16, y_hat and its means are multiples of 1/64 of a step.
Z_ONE, Z_LIMITS = 16, (-2048, 2047)
Y_BITS = 6
Y_ONE, MU_LIMIT = 2**Y_BITS, 2**21
# Adjacent rows of the tables are a sixteenth of an octave apart. Scales are computed in 64ths of that.
ROW_UNIT = 64
# One step of a region of interest is a quarter of an octave.
LEVEL_UNIT = 256

# The known answer: a size that is no multiple of z's stride and has a side larger than the attention grid, at a quality
# between two anchors.
ANSWER_SIZE, ANSWER_LEVEL = (9, 18), 6180


def key_limit(head_width: int) -> int:
    """The largest key for which sums over a head of this width stay within `LOGIT`."""
    return min(-ACTIVATION[0] - 1, LOGIT // (-ACTIVATION[0] * head_width))
