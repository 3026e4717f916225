"""What each command does, composed from the session and the edges: a module a command, with `run(options)`.

May import every room but `cli`. Must never hold arithmetic or parsing of bytes. Heavy packages are imported
inside functions.
"""
