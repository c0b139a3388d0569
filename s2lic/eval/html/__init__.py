"""The report of an evaluation as one HTML file that opens from disk and asks no network for anything."""

from s2lic.eval.html.write import NAME, write_report

__all__ = ["NAME", "write_report"]
