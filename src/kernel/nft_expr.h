/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Expressions of nftables, each appended to a rule, which owns it; the words are those of
 * `nft --debug=netlink`. What they compare, mask or look up is at NFT_REG_1 unless they are told.
 */
#ifndef FNAT_KERNEL_NFT_EXPR_H
#define FNAT_KERNEL_NFT_EXPR_H

#include <stdint.h>

struct nftnl_expr;
struct nftnl_rule;

/* One by its name, for the caller to set what it needs; borrowed. Aborts without memory. */
struct nftnl_expr *nft_expr_new(struct nftnl_rule *rule, const char *name);
/* key: enum nft_meta_keys; dreg: the register it is loaded to, here and below. */
void nft_expr_meta(struct nftnl_rule *rule, uint32_t key, uint32_t dreg);
/* key: enum nft_ct_keys; direction: enum ip_conntrack_dir, -1 where there is none. */
void nft_expr_ct(struct nftnl_rule *rule, uint32_t key, int direction, uint32_t dreg);
/* op: enum nft_cmp_ops. */
void nft_expr_cmp(struct nftnl_rule *rule, uint32_t op, const void *data, uint32_t len);
void nft_expr_cmp_u8(struct nftnl_rule *rule, uint32_t op, uint8_t value);
/* A range of one address that keeps the port. */
void nft_expr_nat_address(struct nftnl_rule *rule, uint32_t type, uint8_t family);
/* Key at NFT_REG_1, data at NFT_REG_2. */
void nft_expr_update(struct nftnl_rule *rule, const char *map, uint32_t timeout_s);
/* An element of the set for each key at NFT_REG_1, with `each`, which is the rule's then: what
 * stands behind goes on where that says so. */
void nft_expr_update_each(struct nftnl_rule *rule, const char *set, struct nftnl_expr *each);
/* [ bitwise reg 1 = ( reg 1 & mask ) ^ 0 ] */
void nft_expr_mask(struct nftnl_rule *rule, const void *mask, uint32_t len);
/* base: enum nft_payload_bases; offset and len in bytes. */
void nft_expr_payload(struct nftnl_rule *rule, uint32_t base, uint32_t offset, uint32_t len,
		      uint32_t dreg);
/* Is NFT_REG_1 in the set? (A match without data.) */
void nft_expr_lookup(struct nftnl_rule *rule, const char *set);
/* NFT_REG_1 to data in dreg. */
void nft_expr_map(struct nftnl_rule *rule, const char *map, uint32_t dreg);
/* verdict: NF_DROP, NFT_JUMP, ...; chain: where that leads, else NULL. */
void nft_expr_verdict(struct nftnl_rule *rule, int verdict, const char *chain);
/* In host order. */
void nft_expr_port(struct nftnl_rule *rule, uint16_t port, uint32_t dreg);
/* type: enum nft_ng_types; offset + 0 ... modulus - 1. */
void nft_expr_numgen(struct nftnl_rule *rule, uint32_t type, uint32_t modulus, uint32_t offset,
		     uint32_t dreg);
/* A number of so many bytes to network order. */
void nft_expr_hton(struct nftnl_rule *rule, uint32_t reg, uint32_t len);
/* Of len bytes from sreg on, modulo modulus. */
void nft_expr_jhash(struct nftnl_rule *rule, uint32_t sreg, uint32_t len, uint32_t modulus,
		    uint32_t seed, uint32_t dreg);
/* To the address at NFT_REG_1 and a port between those at two registers; type: enum nft_nat_types.
 */
void nft_expr_nat(struct nftnl_rule *rule, uint32_t type, uint8_t family, uint32_t reg_port_min,
		  uint32_t reg_port_max);
/* type: enum nft_reject_types; code: of ICMP, see there. */
void nft_expr_reject(struct nftnl_rule *rule, uint32_t type, uint8_t code);
/* A named object of the table; type: NFT_OBJECT_*. */
void nft_expr_object(struct nftnl_rule *rule, uint32_t type, const char *name);

#endif
