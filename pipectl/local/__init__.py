"""What happens on this machine: files run through an embedded stack, checked, and inferred from."""
