"""`python -m logctx_lint`."""

import sys

from logctx_lint.cli import main

sys.exit(main())
