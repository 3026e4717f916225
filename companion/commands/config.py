"""`posture config`: every setting with its value and where it comes from, and where the files lie.

Knows: settings and places. Must never know: sensors, recordings.
"""

import json
import os

from companion.commands.options import ConfigOptions
from companion.commands.places import places
from companion.commands.settings_file import in_force


def show(options: ConfigOptions) -> None:
    """Print a table of key, value and source, or one JSON object `{key: {"value": ..., "source": ...}}`."""
    found = in_force(places(options.shared.data_dir).settings, os.environ, options.shared.settings)
    rows = [(key, value, str(found.sources[key])) for key, value in found.settings.shown().items()]
    if options.as_json:
        tree = {key: {"value": value, "source": source} for key, value, source in rows}
        print(json.dumps(tree, ensure_ascii=False))
        return
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    for key, value, source in rows:
        print(f"{key:<{widths[0]}}  {value:<{widths[1]}}  {source}")


def path(options: ConfigOptions) -> None:
    """Print the path of the settings file, alone on its line; as JSON the other places too."""
    where = places(options.shared.data_dir)
    if not options.as_json:
        print(where.settings)
        return
    named = {"settings": where.settings, "data": where.data, "sessions": where.sessions}
    print(json.dumps({name: str(place) for name, place in named.items()}, ensure_ascii=False))
