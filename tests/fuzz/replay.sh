#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Every fuzz target with its seed corpus, as one automake test. A fuzzer's finding becomes a seed when it is fixed.
status=0
for corpus in "${FNAT_SRCDIR:?}"/tests/fuzz/corpus/*; do
	target=fuzz_$(basename "$corpus")
	echo "$target:"
	"${FNAT_BUILD:?}/tests/fuzz/$target" -runs=0 "$corpus" || status=1
done
exit $status
