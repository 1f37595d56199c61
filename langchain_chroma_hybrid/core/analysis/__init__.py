"""Texts to terms: words of all scripts, their parts, stems; the query syntax."""
