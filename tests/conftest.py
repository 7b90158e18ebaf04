"""How the property tests search: the same examples in every run of a commit, fresh ones when asked.

``make test`` and ``.ci/run`` give one verdict for one commit. ``make fuzz`` looks for new counterexamples; each one it
finds becomes an ordinary test.
"""

from __future__ import annotations

import os

from hypothesis import settings

settings.register_profile("same", derandomize=True, deadline=None)
settings.register_profile("fresh", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same"))
