"""What the LangChain faces share."""
