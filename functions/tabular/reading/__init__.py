"""From a file's bytes to its records: compression, dialect, header, grammar, blocks, splits."""
