# SPDX-License-Identifier: GPL-2.0-or-later
libfnat_la_SOURCES += \
	%D%/announced.c \
	%D%/announced.h \
	%D%/columns.c \
	%D%/columns.h \
	%D%/flow.h \
	%D%/flow_filter.c \
	%D%/flow_filter.h \
	%D%/flow_json.c \
	%D%/flow_json.h \
	%D%/flow_state.c \
	%D%/flow_state.h \
	%D%/meter.c \
	%D%/meter.h \
	%D%/ports.c \
	%D%/ports.h \
	%D%/recent.c \
	%D%/recent.h \
	%D%/rows.c \
	%D%/rows.h \
	%D%/saved.c \
	%D%/saved.h \
	%D%/session.c \
	%D%/session.h \
	%D%/stats.c \
	%D%/stats.h \
	%D%/unanswered.c \
	%D%/unanswered.h
