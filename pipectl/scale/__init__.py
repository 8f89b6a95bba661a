"""What the pipeline takes of AWS: requests, seconds and money, from its template and workflow."""
