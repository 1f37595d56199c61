"""One query, from the request to the hits."""
