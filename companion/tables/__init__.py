"""What a session comes to, as tables of plain values: the same for CSV files, the history and the report.

Pure. Knows: posture rows, events, figures of a session, the calendar. Must never know: files, text cells, screens.
"""
