"""From typed records to output files: JSON Lines, Parquet, rejects."""
