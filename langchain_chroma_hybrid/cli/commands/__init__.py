"""The commands by what they are about; their options, and the codes that they end with."""
