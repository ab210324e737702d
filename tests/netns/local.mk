# SPDX-License-Identifier: GPL-2.0-or-later
# Tests on a real kernel, in network namespaces: one automake test that runs pytest. The programs
# are what Python would be too slow for.
TESTS += %D%/run

check_PROGRAMS += \
	%D%/udpflood \
	%D%/tcpconnect \
	%D%/tcpreuse

%C%_udpflood_SOURCES = %D%/udpflood.c
%C%_udpflood_LDADD =
%C%_tcpconnect_SOURCES = %D%/tcpconnect.c
%C%_tcpconnect_LDADD =
%C%_tcpreuse_SOURCES = %D%/tcpreuse.c
%C%_tcpreuse_LDADD =

# Loaded into a daemon under test; a library by hand, because automake would want it installed.
check_DATA = %D%/failmalloc.so
CLEANFILES += $(check_DATA)
%D%/failmalloc.so: %D%/failmalloc.c
	@$(MKDIR_P) $(@D)
	$(AM_V_CCLD)$(CC) -O2 -Wall -Wextra -shared -fPIC -o $@ $<
