# SPDX-License-Identifier: GPL-2.0-or-later
sbin_PROGRAMS += fnatd
fnatd_SOURCES = \
	%D%/fnatd.c \
	%D%/fnatd_config.c \
	%D%/fnatd_config.h \
	%D%/fnatd_health.c \
	%D%/fnatd_health.h \
	%D%/fnatd_hook.c \
	%D%/fnatd_hook.h \
	%D%/fnatd_memory.c \
	%D%/fnatd_memory.h \
	%D%/fnatd_options.c \
	%D%/fnatd_options.h \
	%D%/fnatd_process.c \
	%D%/fnatd_process.h \
	%D%/fnatd_source.c \
	%D%/fnatd_source.h
fnatd_LDADD = libfnat.la
