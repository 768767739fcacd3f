from unittest.async_case import IsolatedAsyncioTestCase as IsolatedAsyncioTestCase
from unittest.case import SkipTest as SkipTest
from unittest.case import TestCase as TestCase
from unittest.case import expectedFailure as expectedFailure
from unittest.case import skip as skip
from unittest.case import skipIf as skipIf
from unittest.case import skipUnless as skipUnless
