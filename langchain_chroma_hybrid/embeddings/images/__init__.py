"""Pictures, and models of pictures and text."""
