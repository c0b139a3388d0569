"""`s2lic blocks`: what a transform can be built of, and tools that measure it."""

from __future__ import annotations

from s2lic.cli.blocks.bench import bench
from s2lic.cli.blocks.mqar import mqar
from s2lic.cli.blocks.place import place
from s2lic.cli.blocks.table import blocks

ALONE, COMMANDS = blocks, (bench, mqar, place)
