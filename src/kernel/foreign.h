/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What other people's nftables chains (iptables-nft's included) would do to
 * fnat's traffic: firewalls that drop what is forwarded, NAT that comes first.
 * Only reads.
 */
#ifndef FNAT_KERNEL_FOREIGN_H
#define FNAT_KERNEL_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What happens in the end to the first packet of a new connection that carries a destination NAT
 * and that none of the rules' own conditions (interfaces, addresses, ports) speaks of. */
enum foreign_effect {
	FOREIGN_PASSES,     /* or nobody can tell */
	FOREIGN_DROPS_MOST, /* dropped, unless a rule with conditions of its own accepts it */
	FOREIGN_DROPS,      /* dropped, always */
};

struct foreign_chain {
	uint8_t family; /* NFPROTO_IPV4, NFPROTO_IPV6, NFPROTO_INET */
	uint8_t hook;   /* NF_INET_FORWARD, ... */
	bool is_nat;
	int32_t priority;
	char *table, *name;         /* owned */
	enum foreign_effect effect; /* for filter chains at forward; else FOREIGN_PASSES */
	bool has_docker_user;       /* jumps to docker's chain for the administrator's own rules */
};

struct foreign_chains {
	struct foreign_chain *items;
	size_t n, cap;
};

/*
 * All base chains of the families above but those of table inet own_table.
 * *out is zeroed by the caller and freed with foreign_chains_fini(), also on
 * error. 0 or a negative errno.
 */
int foreign_read(const char *own_table, struct foreign_chains *out);
void foreign_chains_fini(struct foreign_chains *f);

/* Flags (NFT_TABLE_F_...) of table inet `table`. 0, -ENOENT or another negative errno. */
int foreign_table_flags(const char *table, uint32_t *flags);

/* "ip", "ip6", "inet"; NULL for another family. */
const char *foreign_family_name(uint8_t family);

#endif
