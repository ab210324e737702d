# SPDX-License-Identifier: GPL-2.0-or-later
libfnat_la_SOURCES += \
	%D%/addr.c \
	%D%/addr.h \
	%D%/by_name.c \
	%D%/by_name.h \
	%D%/clock.c \
	%D%/clock.h \
	%D%/err.c \
	%D%/err.h \
	%D%/log.c \
	%D%/log.h \
	%D%/mailbox.c \
	%D%/mailbox.h \
	%D%/mem.c \
	%D%/mem.h \
	%D%/pattern.c \
	%D%/pattern.h \
	%D%/suggest.c \
	%D%/suggest.h \
	%D%/utf8.c \
	%D%/utf8.h
