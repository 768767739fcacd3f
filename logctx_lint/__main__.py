"""`python -m logctx_lint`."""

import sys

from logctx_lint.frontends.cli import main

sys.exit(main())
