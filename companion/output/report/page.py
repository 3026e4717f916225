"""The page as a whole."""

from companion.overview import Overview


def page(overview: Overview) -> str:
    """The HTML text of a report."""
    raise NotImplementedError(overview)
