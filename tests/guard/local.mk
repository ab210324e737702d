# SPDX-License-Identifier: GPL-2.0-or-later
# Instructions of the hot paths against what is recorded.
check_PROGRAMS += %D%/guard
TESTS += %D%/check
%C%_guard_SOURCES = %D%/guard.c tests/unit/walk.c tests/unit/walk.h tests/unit/images.c tests/unit/images.h
%C%_guard_LDADD = libfnat.la
