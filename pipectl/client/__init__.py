"""Everything that talks to a deployment: executions, history, metadata, dead letters, uploads."""
