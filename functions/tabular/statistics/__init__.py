"""Statistics of a file's fields: accumulated block by block, merged over splits, summarized."""
