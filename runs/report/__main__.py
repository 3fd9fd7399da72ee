"""``python -m runs.report FOLDER``."""

import sys

from runs.report.build import main

sys.exit(main())
