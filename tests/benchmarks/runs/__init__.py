"""One module an engine: `run(source, contract, out)` does the whole work, says what it found."""
