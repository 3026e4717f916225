"""One file for each maker of sensors, and beside them what those files share. Pure, as the whole package is."""
