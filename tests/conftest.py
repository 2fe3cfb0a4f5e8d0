"""What holds for every test: how Hypothesis searches."""

import os

from hypothesis import settings

# A slow machine is no failure (no deadline), and CI must say the same thing twice (no chance).
settings.register_profile("here", deadline=None, max_examples=50)
settings.register_profile("ci", parent=settings.get_profile("here"), derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "here")
