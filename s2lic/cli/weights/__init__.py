"""`s2lic weights`: lists, verifies, adds, exports and fits weights files."""

from __future__ import annotations

from s2lic.cli.weights.add import add, fetch
from s2lic.cli.weights.export import export
from s2lic.cli.weights.fit import fit
from s2lic.cli.weights.list import list as list_
from s2lic.cli.weights.verify import verify

COMMANDS = (list_, verify, add, fetch, export, fit)
