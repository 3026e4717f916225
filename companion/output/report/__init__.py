"""The report: one HTML page that needs no network. Plots by bokeh, put in whole; text and tables by jinja2.

Knows: an `Overview`. Must never know: recordings, how a figure is computed.
"""

from companion.output.report.page import page

__all__ = ["page"]
