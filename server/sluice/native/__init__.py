"""Functions over the bytes of bodies that are compiled: what stands where in one, and whether it keeps the contract."""
