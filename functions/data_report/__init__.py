"""The report of a file for people: one HTML page made from the file's summary."""
