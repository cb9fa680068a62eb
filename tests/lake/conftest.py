from hypothesis import settings

# The first example pays for loading Arrow's compute functions.
settings.register_profile("lake", deadline=None)
settings.load_profile("lake")
