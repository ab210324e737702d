# SPDX-License-Identifier: GPL-2.0-or-later
# libFuzzer targets: ./configure CC=clang-14 --enable-fuzzer. Without it they replay their corpus, in `make check`.
fuzz_targets = %D%/fuzz_agent %D%/fuzz_body %D%/fuzz_question %D%/fuzz_conditions %D%/fuzz_config %D%/fuzz_ct %D%/fuzz_dns %D%/fuzz_edit %D%/fuzz_grpc %D%/fuzz_http %D%/fuzz_icmp %D%/fuzz_nft %D%/fuzz_patch %D%/fuzz_smtp \
	%D%/fuzz_import_ipvsadm %D%/fuzz_import_keepalived %D%/fuzz_import_nftlb
TESTS += %D%/replay.sh

%C%_fuzz_agent_SOURCES = %D%/fuzz_agent.c
%C%_fuzz_agent_LDADD = libfnat.la
%C%_fuzz_smtp_SOURCES = %D%/fuzz_smtp.c
%C%_fuzz_smtp_LDADD = libfnat.la
%C%_fuzz_question_SOURCES = %D%/fuzz_question.c
%C%_fuzz_question_LDADD = libfnat.la
%C%_fuzz_conditions_SOURCES = %D%/fuzz_conditions.c
%C%_fuzz_conditions_LDADD = libfnat.la
%C%_fuzz_config_SOURCES = %D%/fuzz_config.c
%C%_fuzz_config_LDADD = libfnat.la
%C%_fuzz_ct_SOURCES = %D%/fuzz_ct.c
%C%_fuzz_ct_LDADD = libfnat.la
%C%_fuzz_dns_SOURCES = %D%/fuzz_dns.c
%C%_fuzz_dns_LDADD = libfnat.la
%C%_fuzz_edit_SOURCES = %D%/fuzz_edit.c
%C%_fuzz_edit_LDADD = libfnat.la
%C%_fuzz_grpc_SOURCES = %D%/fuzz_grpc.c
%C%_fuzz_grpc_LDADD = libfnat.la
%C%_fuzz_body_SOURCES = %D%/fuzz_body.c
%C%_fuzz_body_LDADD = libfnat.la
%C%_fuzz_http_SOURCES = %D%/fuzz_http.c
%C%_fuzz_http_LDADD = libfnat.la
%C%_fuzz_icmp_SOURCES = %D%/fuzz_icmp.c
%C%_fuzz_icmp_LDADD = libfnat.la
%C%_fuzz_nft_SOURCES = %D%/fuzz_nft.c
%C%_fuzz_nft_LDADD = libfnat.la
%C%_fuzz_patch_SOURCES = %D%/fuzz_patch.c
%C%_fuzz_patch_LDADD = libfnat.la
%C%_fuzz_import_ipvsadm_SOURCES = %D%/fuzz_import.c
%C%_fuzz_import_ipvsadm_CPPFLAGS = $(AM_CPPFLAGS) -DREADER=import_ipvsadm
%C%_fuzz_import_ipvsadm_LDADD = libfnat.la
%C%_fuzz_import_keepalived_SOURCES = %D%/fuzz_import.c
%C%_fuzz_import_keepalived_CPPFLAGS = $(AM_CPPFLAGS) -DREADER=import_keepalived
%C%_fuzz_import_keepalived_LDADD = libfnat.la
%C%_fuzz_import_nftlb_SOURCES = %D%/fuzz_import.c
%C%_fuzz_import_nftlb_CPPFLAGS = $(AM_CPPFLAGS) -DREADER=import_nftlb
%C%_fuzz_import_nftlb_LDADD = libfnat.la

if FUZZER
noinst_PROGRAMS += $(fuzz_targets)
%C%_fuzz_agent_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_smtp_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_question_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_conditions_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_config_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_ct_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_dns_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_edit_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_grpc_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_body_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_http_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_icmp_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_nft_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_patch_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_import_ipvsadm_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_import_keepalived_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
%C%_fuzz_import_nftlb_LDFLAGS = $(AM_LDFLAGS) $(FUZZ_LDFLAGS)
else
check_PROGRAMS += $(fuzz_targets)
%C%_fuzz_agent_SOURCES += %D%/replay.c
%C%_fuzz_smtp_SOURCES += %D%/replay.c
%C%_fuzz_question_SOURCES += %D%/replay.c
%C%_fuzz_conditions_SOURCES += %D%/replay.c
%C%_fuzz_config_SOURCES += %D%/replay.c
%C%_fuzz_ct_SOURCES += %D%/replay.c
%C%_fuzz_dns_SOURCES += %D%/replay.c
%C%_fuzz_edit_SOURCES += %D%/replay.c
%C%_fuzz_grpc_SOURCES += %D%/replay.c
%C%_fuzz_body_SOURCES += %D%/replay.c
%C%_fuzz_http_SOURCES += %D%/replay.c
%C%_fuzz_icmp_SOURCES += %D%/replay.c
%C%_fuzz_nft_SOURCES += %D%/replay.c
%C%_fuzz_patch_SOURCES += %D%/replay.c
%C%_fuzz_import_ipvsadm_SOURCES += %D%/replay.c
%C%_fuzz_import_keepalived_SOURCES += %D%/replay.c
%C%_fuzz_import_nftlb_SOURCES += %D%/replay.c
endif

# make fuzz T=http SECS=600: what it finds lands in the build directory as crash-*, and belongs into corpus/T once it is mended.
T = config
SECS = 60
fuzz:
if FUZZER
	$(MAKE) $(AM_MAKEFLAGS) tests/fuzz/fuzz_$(T)
	mkdir -p fuzz-corpus/$(T)
	tests/fuzz/fuzz_$(T) -max_total_time=$(SECS) -close_fd_mask=1 -print_final_stats=1 fuzz-corpus/$(T) $(top_srcdir)/tests/fuzz/corpus/$(T)
else
	@echo 'This build cannot fuzz: ./configure --enable-fuzzer CC=clang' >&2; exit 1
endif

.PHONY: fuzz
