"""Sound and video: opened safely, read as streams."""
