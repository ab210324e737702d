# SPDX-License-Identifier: GPL-2.0-or-later
# One program a module: test_MODULE. Each is a check(3) suite.
check_PROGRAMS += %D%/test_http
TESTS += %D%/test_http
%C%_test_http_SOURCES = %D%/test_http.c %D%/http_testing.h
%C%_test_http_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_http_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_flow_filter
TESTS += %D%/test_flow_filter
%C%_test_flow_filter_SOURCES = %D%/test_flow_filter.c
%C%_test_flow_filter_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_flow_filter_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_explain
TESTS += %D%/test_explain
%C%_test_explain_SOURCES = %D%/test_explain.c %D%/model_testing.h
%C%_test_explain_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_explain_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_program
TESTS += %D%/test_program
%C%_test_program_SOURCES = %D%/test_program.c %D%/images.c %D%/images.h
%C%_test_program_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_program_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_group
TESTS += %D%/test_group
%C%_test_group_SOURCES = %D%/test_group.c
%C%_test_group_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_group_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_engine
TESTS += %D%/test_engine
%C%_test_engine_SOURCES = \
	%D%/engine_helper.c \
	%D%/engine_helper.h \
	%D%/fake_kernel.c \
	%D%/fake_kernel.h \
	%D%/test_engine.c
%C%_test_engine_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_engine_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_runtime
TESTS += %D%/test_runtime
%C%_test_runtime_SOURCES = \
	%D%/engine_helper.c \
	%D%/engine_helper.h \
	%D%/fake_kernel.c \
	%D%/fake_kernel.h \
	%D%/test_runtime.c
%C%_test_runtime_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_runtime_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_persistence
TESTS += %D%/test_persistence
%C%_test_persistence_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_persistence_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_engine_kernel
TESTS += %D%/test_engine_kernel
%C%_test_engine_kernel_SOURCES = \
	%D%/engine_helper.c \
	%D%/engine_helper.h \
	%D%/test_engine_kernel.c
%C%_test_engine_kernel_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_engine_kernel_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_store
TESTS += %D%/test_store
%C%_test_store_SOURCES = %D%/test_store.c
%C%_test_store_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_store_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_events
TESTS += %D%/test_events
%C%_test_events_SOURCES = %D%/test_events.c
%C%_test_events_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_events_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_scheduler
TESTS += %D%/test_scheduler
%C%_test_scheduler_SOURCES = %D%/test_scheduler.c
%C%_test_scheduler_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_scheduler_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_base
TESTS += %D%/test_base
%C%_test_base_SOURCES = %D%/test_base.c %D%/model_testing.h
%C%_test_base_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_base_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_assign
TESTS += %D%/test_assign
%C%_test_assign_SOURCES = %D%/test_assign.c %D%/model_testing.h
%C%_test_assign_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_assign_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_addr
TESTS += %D%/test_addr
%C%_test_addr_SOURCES = %D%/test_addr.c %D%/model_testing.h
%C%_test_addr_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_addr_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_mailbox
TESTS += %D%/test_mailbox
%C%_test_mailbox_SOURCES = %D%/test_mailbox.c %D%/model_testing.h
%C%_test_mailbox_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_mailbox_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_slices
TESTS += %D%/test_slices
%C%_test_slices_SOURCES = %D%/test_slices.c %D%/model_testing.h
%C%_test_slices_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_slices_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_merge_patch
TESTS += %D%/test_merge_patch
%C%_test_merge_patch_SOURCES = %D%/test_merge_patch.c %D%/model_testing.h
%C%_test_merge_patch_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_merge_patch_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_json
TESTS += %D%/test_json
%C%_test_json_SOURCES = %D%/test_json.c %D%/model_testing.h
%C%_test_json_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_json_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_model
TESTS += %D%/test_model
%C%_test_model_SOURCES = %D%/test_model.c %D%/model_testing.h
%C%_test_model_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_model_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_json_mistakes
TESTS += %D%/test_json_mistakes
%C%_test_json_mistakes_SOURCES = %D%/test_json_mistakes.c %D%/model_testing.h
%C%_test_json_mistakes_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_json_mistakes_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_object
TESTS += %D%/test_object
%C%_test_object_SOURCES = %D%/test_object.c %D%/model_testing.h
%C%_test_object_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_object_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_model_walk
TESTS += %D%/test_model_walk
%C%_test_model_walk_SOURCES = %D%/test_model_walk.c %D%/model_testing.h
%C%_test_model_walk_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_model_walk_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_nft
TESTS += %D%/test_nft
%C%_test_nft_SOURCES = %D%/test_nft.c %D%/nft_testing.h
%C%_test_nft_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_nft_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ct
TESTS += %D%/test_ct
%C%_test_ct_SOURCES = %D%/test_ct.c %D%/ct_testing.h
%C%_test_ct_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_ct_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ctl
TESTS += %D%/test_ctl
%C%_test_ctl_SOURCES = %D%/test_ctl.c
%C%_test_ctl_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_ctl_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_nft_counters
TESTS += %D%/test_nft_counters
%C%_test_nft_counters_SOURCES = %D%/test_nft_counters.c
%C%_test_nft_counters_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_nft_counters_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_nft_faults
TESTS += %D%/test_nft_faults
%C%_test_nft_faults_SOURCES = %D%/test_nft_faults.c
%C%_test_nft_faults_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_nft_faults_LDADD = libfnat.la $(CHECK_LIBS)


check_PROGRAMS += %D%/test_image
TESTS += %D%/test_image
%C%_test_image_SOURCES = %D%/test_image.c %D%/images.c %D%/images.h
%C%_test_image_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D% $(CHECK_CFLAGS)
%C%_test_image_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_api
TESTS += %D%/test_api
%C%_test_api_SOURCES = %D%/test_api.c
%C%_test_api_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_api_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_garbage
TESTS += %D%/test_garbage
%C%_test_garbage_SOURCES = %D%/test_garbage.c %D%/images.c %D%/images.h %D%/walk.c %D%/walk.h
%C%_test_garbage_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D% $(CHECK_CFLAGS)
%C%_test_garbage_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_plan
TESTS += %D%/test_plan
%C%_test_plan_SOURCES = %D%/test_plan.c %D%/images.c %D%/images.h %D%/walk.c %D%/walk.h
%C%_test_plan_CPPFLAGS = $(AM_CPPFLAGS) -I$(srcdir)/%D% $(CHECK_CFLAGS)
%C%_test_plan_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_machine
TESTS += %D%/test_machine
%C%_test_machine_SOURCES = %D%/test_machine.c %D%/model_testing.h
%C%_test_machine_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_machine_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_check_http
TESTS += %D%/test_check_http
%C%_test_check_http_SOURCES = %D%/test_check_http.c %D%/check_testing.h
%C%_test_check_http_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_check_http_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_check
TESTS += %D%/test_check
%C%_test_check_SOURCES = %D%/test_check.c %D%/check_testing.h %D%/model_testing.h
%C%_test_check_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_check_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_top
TESTS += %D%/test_top
%C%_test_top_SOURCES = %D%/test_top.c
%C%_test_top_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_top_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_session
TESTS += %D%/test_session
%C%_test_session_SOURCES = %D%/test_session.c %D%/stats_testing.h %D%/model_testing.h
%C%_test_session_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_session_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ports
TESTS += %D%/test_ports
%C%_test_ports_SOURCES = %D%/test_ports.c %D%/stats_testing.h %D%/model_testing.h
%C%_test_ports_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_ports_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_stats
TESTS += %D%/test_stats
%C%_test_stats_SOURCES = %D%/test_stats.c %D%/stats_fixture.h %D%/stats_testing.h %D%/model_testing.h
%C%_test_stats_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_stats_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_stats_signals
TESTS += %D%/test_stats_signals
%C%_test_stats_signals_SOURCES = %D%/test_stats_signals.c %D%/stats_fixture.h %D%/stats_testing.h %D%/model_testing.h
%C%_test_stats_signals_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_stats_signals_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_stats_rows
TESTS += %D%/test_stats_rows
%C%_test_stats_rows_SOURCES = %D%/test_stats_rows.c %D%/stats_fixture.h %D%/stats_testing.h %D%/model_testing.h
%C%_test_stats_rows_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_stats_rows_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_stats_live
TESTS += %D%/test_stats_live
%C%_test_stats_live_SOURCES = %D%/test_stats_live.c %D%/stats_fixture.h %D%/stats_testing.h %D%/model_testing.h
%C%_test_stats_live_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_stats_live_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_stats_walk
TESTS += %D%/test_stats_walk
%C%_test_stats_walk_SOURCES = %D%/test_stats_walk.c %D%/stats_fixture.h %D%/stats_testing.h %D%/model_testing.h
%C%_test_stats_walk_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_stats_walk_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_ct_events
TESTS += %D%/test_ct_events
%C%_test_ct_events_SOURCES = %D%/test_ct_events.c %D%/ct_testing.h
%C%_test_ct_events_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_ct_events_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_effective
TESTS += %D%/test_effective
%C%_test_effective_SOURCES = %D%/test_effective.c %D%/model_testing.h
%C%_test_effective_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_effective_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_probe_messages
TESTS += %D%/test_probe_messages
%C%_test_probe_messages_SOURCES = %D%/test_probe_messages.c %D%/model_testing.h
%C%_test_probe_messages_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_probe_messages_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_probe_talk
TESTS += %D%/test_probe_talk
%C%_test_probe_talk_SOURCES = %D%/test_probe_talk.c %D%/model_testing.h
%C%_test_probe_talk_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_probe_talk_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_balance
TESTS += %D%/test_balance
%C%_test_balance_SOURCES = %D%/test_balance.c
%C%_test_balance_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_balance_LDADD = libfnat.la $(CHECK_LIBS) -lm

check_PROGRAMS += %D%/test_threshold
TESTS += %D%/test_threshold
%C%_test_threshold_SOURCES = %D%/test_threshold.c
%C%_test_threshold_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_threshold_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_admission
TESTS += %D%/test_admission
%C%_test_admission_SOURCES = %D%/test_admission.c %D%/gate_testing.h %D%/walk.h
%C%_test_admission_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_admission_LDADD = libfnat.la $(CHECK_LIBS)

check_PROGRAMS += %D%/test_tokens
TESTS += %D%/test_tokens
%C%_test_tokens_SOURCES = %D%/test_tokens.c %D%/gate_testing.h %D%/walk.h
%C%_test_tokens_CPPFLAGS = $(AM_CPPFLAGS) $(CHECK_CFLAGS)
%C%_test_tokens_LDADD = libfnat.la $(CHECK_LIBS)
