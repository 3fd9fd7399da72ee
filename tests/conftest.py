"""What holds for all tests."""

from hypothesis import settings

from runs.environment import limit_threads

limit_threads(1)  # the suite's processes share the cores; threads that wait for each other cost more than they bring
settings.register_profile("untimed", deadline=None)  # no test depends on how fast the machine is
settings.load_profile("untimed")
