/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rules as the kernel's expressions (libnftnl). For each rule exactly those
 * that nft 1.0.6 makes of the same text, registers included, so that any nft
 * can turn them back into text.
 */
#ifndef FNAT_KERNEL_NFT_RULE_H
#define FNAT_KERNEL_NFT_RULE_H

#include <libnftnl/rule.h>

#include "plan/program.h"

/* The rule as an object of libnftnl; the caller frees it. Not for RULE_FOREIGN. */
struct nftnl_rule *nft_rule_new(const char *table, const char *chain, const struct rule *r);

/*
 * A rule's expressions as text, one a line, appended to out: equal text, equal
 * rule. Handles, comments and counters of libnftnl's objects do not show.
 */
void nft_rule_fingerprint(const struct nftnl_rule *rule, FILE *out);

/* The fingerprint of a whole chain as fnat would write it. free() it. */
char *nft_chain_fingerprint(const char *table, const struct chain *c);

#endif
