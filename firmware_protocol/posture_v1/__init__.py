"""posture_v1, the project's own open protocol: packets, decoder, driver, tables, vectors.

Must never know: radios, files, the present time.
"""
