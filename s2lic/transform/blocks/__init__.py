"""The blocks of a transform: one mechanism per file, and a registry of all."""

from s2lic.transform.blocks.registry import block_names, block_row, create_block

__all__ = ["block_names", "block_row", "create_block"]
