"""Files drawn at random, read by the engine and by an independent reader: `make fuzz MINUTES=5`."""
