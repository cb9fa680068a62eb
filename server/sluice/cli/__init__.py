"""The command line: `sluice …`. A command parses, calls one function of a stage, and prints what that gives."""
