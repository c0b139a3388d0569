"""Layouts of tiles for property tests, and how often boxes cover the pixels of a picture."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from s2lic.container.tiles import GRID, Box, Layout
from s2lic.defaults import SIDE_MIN

sides = st.integers(SIDE_MIN // GRID, 8).map(lambda steps: steps * GRID)
layouts = st.builds(Layout, st.integers(1, 1500), st.integers(1, 1500), sides, sides)


def inside(inner: Box, outer: Box) -> bool:
    return inner.grown(0, outer) == inner


def times_covered(layout: Layout, boxes: list[Box]) -> set[int]:
    canvas = np.zeros((layout.height, layout.width), int)
    for box in boxes:
        assert box.width > 0
        assert box.height > 0
        assert inside(box, layout.whole)
        canvas[box.top : box.bottom, box.left : box.right] += 1
    return set(np.unique(canvas).tolist())
