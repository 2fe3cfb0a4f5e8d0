"""The command line: one group per stage, with the stages' names."""
