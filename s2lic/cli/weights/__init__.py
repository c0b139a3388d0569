"""`s2lic weights`: what ships, whether a file is whole, and a training's result as a file."""

from __future__ import annotations

from s2lic.cli.weights.export import export
from s2lic.cli.weights.list import list as list_
from s2lic.cli.weights.verify import verify

COMMANDS = (list_, verify, export)
