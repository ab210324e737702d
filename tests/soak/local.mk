# SPDX-License-Identifier: GPL-2.0-or-later
# make soak [MINUTES=10] [SEED=1]: not a test of `make check`, which has a short run of it (tests/netns/test_soak.py).
MINUTES = 10
SEED = 1
soak: all
	FNAT_BUILD='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 $(PYTHON) $(srcdir)/%D%/soak.py \
		--minutes $(MINUTES) --seed $(SEED) --report soak-report.txt

CLEANFILES += soak-report.txt

.PHONY: soak
