"""Foreign signals, read and checked: CSV files of other tools, events as JSON Lines. Nothing here stores anything."""
