"""The operator's command of the data pipeline, and the embedded AWS it can run on."""
