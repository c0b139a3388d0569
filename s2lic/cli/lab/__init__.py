"""`s2lic lab`: research commands that list, compare and test the blocks of a transform."""

from __future__ import annotations

from s2lic.cli.lab.bench import bench
from s2lic.cli.lab.blocks import blocks
from s2lic.cli.lab.calibrate import calibrate
from s2lic.cli.lab.mqar import mqar
from s2lic.cli.lab.place import place

COMMANDS = (blocks, bench, mqar, place, calibrate)
