"""Blocks that a transform can be built of: one mechanism a file, one table of rows."""

from s2lic.transform.blocks.registry import block_names, block_row, create_block

__all__ = ["block_names", "block_row", "create_block"]
