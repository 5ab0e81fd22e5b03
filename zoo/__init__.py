"""Models that prove the losses, layers and training steps of `kerasadv`."""

import sys

# `python -m zoo` comes by here, too. It lists and fetches files, for which nobody should wait until
# Keras is loaded; its commands that need models import `zoo.models`.
if sys.argv[:1] != ["-m"] or sys.orig_argv[-len(sys.argv) :][:1] != ["zoo"]:
    from zoo.models import *  # noqa: F403
    from zoo.models import __all__  # noqa: F401
