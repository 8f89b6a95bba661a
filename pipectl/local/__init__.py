"""Works on local files: runs them through an embedded stack, checks them, infers contracts."""
