"""The history: one SQLite database of what the recordings came to. It can always be made again from them.

Knows: rows of tables as values, files, SQLite. Must never know: recordings, how a figure is computed, screens. Nothing
here is the only copy of anything: what cannot be trusted is set aside and made anew.
"""

from companion.history.days import Day, days_of, figures_together
from companion.history.entry import Entry, Stamp, stamps_in
from companion.history.keeping import Keeper, copies_of
from companion.history.store import History, HistoryDamaged, Unkeepable

__all__ = [
    "Day",
    "Entry",
    "History",
    "HistoryDamaged",
    "Keeper",
    "Stamp",
    "Unkeepable",
    "copies_of",
    "days_of",
    "figures_together",
    "stamps_in",
]
