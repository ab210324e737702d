# SPDX-License-Identifier: GPL-2.0-or-later
# The manual pages against the programs and their sources.
TESTS += %D%/check
