"""Estimates what the pipeline uses on AWS: requests, seconds and money."""
