"""Everything that is shown or handed out: lines for programs and people, the screen, CSV tables, the bell.

Presentation only: values come in computed, text goes out. Nothing is imported here, so that a command loads
the one module it needs. Must never know: radios, recordings, how a figure is computed.
"""
