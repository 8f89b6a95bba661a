"""The AWS code that several steps share: payloads, keys, storage, errors, settings, logs."""
