# SPDX-License-Identifier: GPL-2.0-or-later
libfnat_la_SOURCES += \
	%D%/assign.c \
	%D%/assign.h \
	%D%/change.c \
	%D%/change.h \
	%D%/cli.c \
	%D%/cli.h \
	%D%/client.c \
	%D%/client.h \
	%D%/columns.c \
	%D%/columns.h \
	%D%/command_table.c \
	%D%/commands.c \
	%D%/commands.h \
	%D%/complete.c \
	%D%/completion.c \
	%D%/conditions.c \
	%D%/conditions.h \
	%D%/config.c \
	%D%/connections.c \
	%D%/connections_top.c \
	%D%/connections_top.h \
	%D%/difference.c \
	%D%/difference.h \
	%D%/document.c \
	%D%/document.h \
	%D%/doctor.c \
	%D%/events.c \
	%D%/health.c \
	%D%/finding.c \
	%D%/finding.h \
	%D%/explain.c \
	%D%/help.c \
	%D%/help.h \
	%D%/history.c \
	%D%/import.c \
	%D%/import.h \
	%D%/import_command.c \
	%D%/import_conf.c \
	%D%/import_ipvsadm.c \
	%D%/import_keepalived.c \
	%D%/import_keepalived_check.c \
	%D%/import_keepalived_check.h \
	%D%/import_nftlb.c \
	%D%/import_settings.c \
	%D%/import_tree.c \
	%D%/import_tree.h \
	%D%/indent.c \
	%D%/indent.h \
	%D%/limits.c \
	%D%/lines.c \
	%D%/lines.h \
	%D%/names.c \
	%D%/names.h \
	%D%/nearest.c \
	%D%/nearest.h \
	%D%/operations.c \
	%D%/operations.h \
	%D%/options.c \
	%D%/options.h \
	%D%/outcome.c \
	%D%/outcome.h \
	%D%/persistence.c \
	%D%/progress.c \
	%D%/progress.h \
	%D%/raw.c \
	%D%/show.c \
	%D%/state.c \
	%D%/stats.c \
	%D%/stats_numbers.c \
	%D%/stats_numbers.h \
	%D%/status.c \
	%D%/target.c \
	%D%/target.h \
	%D%/text.c \
	%D%/text.h \
	%D%/top.c \
	%D%/top_table.c \
	%D%/top_table.h \
	%D%/view.c \
	%D%/view.h

bin_PROGRAMS += fnatctl
fnatctl_SOURCES = %D%/main.c
fnatctl_LDADD = libfnat.la

# The shells' scripts are files of their own, so that they can be read, checked and installed; the
# program has them, too.
bashcompdir = $(datadir)/bash-completion/completions
dist_bashcomp_DATA = contrib/completions/fnatctl
zshcompdir = $(datadir)/zsh/site-functions
dist_zshcomp_DATA = contrib/completions/_fnatctl

%D%/scripts.h: $(dist_bashcomp_DATA) $(dist_zshcomp_DATA)
	$(AM_V_at)$(MKDIR_P) %D%
	$(AM_V_GEN)quote() { \
		echo "static const char $$1[] ="; \
		sed 's/[\\"]/\\&/g; s/.*/\t"&\\n"/' "$$2"; \
		echo '	;'; \
	}; \
	{ quote fnatctl_bash $(srcdir)/$(dist_bashcomp_DATA) && \
		quote fnatctl_zsh $(srcdir)/$(dist_zshcomp_DATA); } >$@.tmp && mv $@.tmp $@

%D%/completion.lo: %D%/scripts.h
BUILT_SOURCES += %D%/scripts.h
CLEANFILES += %D%/scripts.h
