"""The AWS side that several steps share: payloads, keys, storage, errors, settings, logs."""
