# SPDX-License-Identifier: GPL-2.0-or-later
# fnatctl import: known results, and the examples of Debian's packages.
TESTS += %D%/check
