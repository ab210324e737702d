# SPDX-License-Identifier: GPL-2.0-or-later
libfnat_la_SOURCES += \
	%D%/store.c \
	%D%/store.h \
	%D%/store_checkpoint.c \
	%D%/store_internal.h \
	%D%/store_read.c \
	%D%/store_write.c
