"""Units and limits of the integers of the exact networks; this module does not import torch."""

from __future__ import annotations

# Powers of two with fractional exponents come from one octave of integers.
OCTAVE, MANTISSA_BITS = 1024, 15
LEVELS = 10_000
# Limits of integers: what a layer multiplies by weights; what a table or a modulation takes; a mean of y.
ACTIVATION = (-512, 511)
PRE = (-2048, 2047)
MEAN = (-32768, 32767)
# A branch of ACGC before it is added to the other.
BRANCH = (-1024, 1023)
# One, as a gate or a slope of the quality holds it.
GATE_ONE, SLOPE_ONE, NORM_ONE = 2048, 1024, 4096

# Attention has points on a grid of at most 16 x 16. They move by at most two of its cells: s of the paper (ACGC), which
# keeps them from wandering off.
GRID_MAX, OFFSET_REACH = 16, 2.0
# Points lie on sixteenths of a latent. A position bias is a table over the distance in these, far ones as at its end.
POINT, OFFSET_ONE = 16, 1024
BIAS_REACH = 2048
# Attention's values have 8 bits and its exponentials 9, so that 256 keys stay below 2^24; their mean has 2 bits more.
VALUE = (-127, 127)
MEAN_BITS = 2
# Sums of queries times keys, and then the position bias of each axis.
LOGIT, BIAS = 2**22, 2**20

# z_hat is a multiple of 1/16, y_hat and its means are multiples of 1/64 of a step.
Z_ONE, Z_LIMITS = 16, (-2048, 2047)
Y_BITS = 6
Y_ONE, MU_LIMIT = 2**Y_BITS, 2**21
# Neighbouring rows of the tables lie a sixteenth of an octave apart; scales are computed in 64ths of that.
ROW_UNIT = 64
# A level of regions of interest is a quarter of an octave.
LEVEL_UNIT = 256

# The fixed case of the known answer: no multiple of z's stride, larger than the grid of attention's points on one side,
# and between two anchor qualities.
ANSWER_SIZE, ANSWER_LEVEL = (9, 18), 6180


def key_limit(head_width: int) -> int:
    """The largest key that keeps a sum over a head of that width within `LOGIT`."""
    return min(-ACTIVATION[0] - 1, LOGIT // (-ACTIVATION[0] * head_width))
