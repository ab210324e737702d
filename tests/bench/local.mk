# SPDX-License-Identifier: GPL-2.0-or-later
# `make bench`: not a test, and not built before it is asked for. README.md says what it measures.
EXTRA_PROGRAMS = \
	%D%/asking \
	%D%/counting \
	%D%/flowgen \
	%D%/rawbatch

%C%_asking_SOURCES = %D%/asking.c
%C%_asking_LDADD =
%C%_counting_SOURCES = %D%/counting.c
%C%_counting_LDADD = libfnat.la
%C%_flowgen_SOURCES = %D%/flowgen.c
%C%_flowgen_LDADD =
%C%_rawbatch_SOURCES = %D%/rawbatch.c
%C%_rawbatch_LDADD = libfnat.la

# QUICK=1: at most three minutes. ONLY="load flows": these parts alone. REALTIME=1: on a busy machine.
bench: all %D%/asking %D%/counting %D%/flowgen %D%/rawbatch tests/netns/udpflood tests/netns/tcpconnect
	FNAT_SRCDIR='$(abs_top_srcdir)' FNAT_BUILD='$(abs_top_builddir)' PYTHONDONTWRITEBYTECODE=1 \
		QUICK='$(QUICK)' REALTIME='$(REALTIME)' ONLY='$(ONLY)' \
		$(PYTHON) $(srcdir)/%D%/bench.py --json $(abs_top_builddir)/bench.json

CLEANFILES += $(EXTRA_PROGRAMS) bench.json bench-plots/*.svg

.PHONY: bench
