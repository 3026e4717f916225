"""Motion that other programs wrote as text: CSV of common shape, and the files of phone and sensor loggers.

`reader.read` is the way in. Knows: names, units, text, archives. Must never know: recordings, devices, posture.
"""
