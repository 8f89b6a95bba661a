"""One module for each engine: `run(source, contract, out)` does all the work, returns counts."""
