"""A residual group of blocks, the unit of which g_a and g_s are built (RS2TB in S2LIC, section III-B)."""

from __future__ import annotations

from torch import Tensor, nn

from s2lic.transform.blocks.table import Place, create_block
from s2lic.transform.row import TransformRow


class ResidualGroup(nn.Module):
    """x + block_n(... block_1(x)) on (B, C, H, W)."""

    def __init__(self, blocks: list[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)

    def forward(self, x: Tensor) -> Tensor:
        features = x
        for block in self.blocks:
            features = block(features)
        return x + features


def residual_group(row: TransformRow, stage: int) -> ResidualGroup:
    """The group of a stage, 0 to 2 for strides 2, 4, 8."""
    dim, heads, key = row.widths[stage], row.heads[stage], row.blocks[stage]
    places = [Place(dim, heads, row.window, row.mlp_ratio, i) for i in range(row.depths[stage])]
    return ResidualGroup([create_block(key, place) for place in places])
