# SPDX-License-Identifier: GPL-2.0-or-later
include %D%/unit/local.mk
include %D%/man/local.mk
include %D%/import/local.mk
include %D%/netns/local.mk
include %D%/guard/local.mk
include %D%/fuzz/local.mk
include %D%/soak/local.mk
include %D%/bench/local.mk
