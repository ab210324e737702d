/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel's jhash, as nftables' `jhash ... mod N seed S` computes it: what the ruleset will
 * choose can be said beforehand.
 */
#ifndef FNAT_PLAN_JHASH_H
#define FNAT_PLAN_JHASH_H

#include <stddef.h>
#include <stdint.h>

/* linux/jhash.h: jhash(key, len, seed), words in the byte order of the machine. */
uint32_t jhash(const void *key, size_t len, uint32_t seed);

/* `jhash ... mod modulus seed seed`: 0 ... modulus - 1 (net/netfilter/nft_hash.c). */
uint32_t jhash_mod(const void *key, size_t len, uint32_t modulus, uint32_t seed);

#endif
