"""`s2lic weights`: what ships, whether a file is whole, a training's result as a file, and tables that fit it."""

from __future__ import annotations

from s2lic.cli.weights.export import export
from s2lic.cli.weights.fit import fit
from s2lic.cli.weights.list import list as list_
from s2lic.cli.weights.verify import verify

COMMANDS = (list_, verify, export, fit)
