"""Embedding a collection anew, and putting the new one in its place."""
