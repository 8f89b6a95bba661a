"""IAM on the embedded AWS: who calls, what a request needs, and what the policies say to it."""
