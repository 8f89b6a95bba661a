"""The CSV engine: dialect, contract, splits, transform, statistics and report.

It works on bytes and plain values: it never imports boto3 and knows neither queue nor bucket.
"""
