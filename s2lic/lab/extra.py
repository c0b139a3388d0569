"""The packages of the extra `lab`, checked before a study that takes hours begins."""

from __future__ import annotations

from s2lic.eval.codecs.base import need

MODULES = ("pytorch_optimizer", "scipy")


def check_extra() -> None:
    """Checks that training with SOAP and comparing curves are possible.

    Raises:
        ExtraMissingError: A package is not installed.
    """
    for module in MODULES:
        need(module, "this study", "lab")
