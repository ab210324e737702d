/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A key is what the registers hold: addresses whole, all else padded with zeros to words of four
 * bytes, in the order in which the rules load them.
 */
#include "plan/explain.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "plan/jhash.h"

#define WORD_BYTES 4
#define KEY_BYTES  (2 * 16 + 3 * WORD_BYTES)

struct key {
	uint8_t bytes[KEY_BYTES];
	size_t len;
};

static void put_address(struct key *k, const struct addr *a)
{
	memcpy(k->bytes + k->len, a->bytes, addr_len(a->family));
	k->len += addr_len(a->family);
}

static void put_protocol(struct key *k, uint8_t protocol)
{
	k->bytes[k->len] = protocol;
	k->len += WORD_BYTES;
}

static void put_port(struct key *k, uint16_t port)
{
	uint16_t be = htons(port);

	memcpy(k->bytes + k->len, &be, sizeof(be));
	k->len += WORD_BYTES;
}

static struct addr masked(const struct addr *a, uint8_t bits)
{
	struct addr out = *a;
	uint8_t mask[16];

	if (bits == 0)
		return out;
	prefix_mask(bits, mask);
	for (size_t i = 0; i < addr_len(a->family); i++)
		out.bytes[i] &= mask[i];
	return out;
}

uint32_t explain_slot(const struct program *p, const struct packet *packet)
{
	struct addr client = masked(&packet->saddr, p->prefix);
	struct key k = { .len = 0 };

	put_address(&k, &client);
	if (p->key == HASH_FIVE_TUPLE) {
		put_address(&k, &packet->daddr);
		put_protocol(&k, packet->protocol);
	}
	if (p->key != HASH_SOURCE)
		put_port(&k, packet->sport);
	if (p->key == HASH_FIVE_TUPLE)
		put_port(&k, packet->dport);
	return jhash_mod(k.bytes, k.len, p->size, HASH_SEED);
}

const char *explained_by_name(enum explained_by by)
{
	switch (by) {
	case BY_SCHEDULER:
		break;
	case BY_PIN:
		return "pin";
	case BY_PERSISTENCE:
		return "persistence";
	}
	return "scheduler";
}

uint32_t explain_local(uint32_t n, const struct packet *packet)
{
	struct key k = { .len = 0 };

	put_address(&k, &packet->saddr);
	put_port(&k, packet->sport);
	return jhash_mod(k.bytes, k.len, n, SNAT_SEED);
}

void explanation_fini(struct explanation *e)
{
	for (size_t i = 0; i < e->n_chances; i++)
		free(e->chances[i].name);
	free(e->chances);
	free(e->service);
	free(e->pool);
	*e = (struct explanation){ 0 };
}

const char *verdict_name(enum verdict v)
{
	switch (v) {
	case VERDICT_NOBODY:
		return "nobody";
	case VERDICT_REFUSED:
		return "refused";
	case VERDICT_DROPPED:
		return "dropped";
	case VERDICT_BACKEND:
		return "backend";
	case VERDICT_ONE_OF:
		return "one_of";
	}
	return "";
}
