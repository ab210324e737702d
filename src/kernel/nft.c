/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One socket for everything: the kernel gives a table to the socket (its port id) that made it
 * with NFT_TABLE_F_OWNER, and takes orders from that one only. With NFT_TABLE_F_PERSIST the table
 * stays when the socket closes, waiting for the next owner (6.9; older kernels: EOPNOTSUPP, and
 * the table is a plain one that anybody may change).
 *
 * Each batch begins with NEWTABLE, which does nothing while the table is there: a table that was
 * flushed is made again by the commit that fills it.
 *
 * NFNL_BATCH_GENID, by which the kernel refuses a batch when anybody committed anything in
 * between, is not used: it is about the whole namespace, and a foreign table that changes often
 * would make fnat refuse good requests. nft_changed_elsewhere() is asked instead.
 */
#include "kernel/nft.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "kernel/claim.h"
#include "kernel/nft_priv.h"

/* In linux/netfilter/nf_tables.h since 5.12 and 6.9. */
#define TABLE_F_OWNER   0x2
#define TABLE_F_PERSIST 0x4
#define TABLE_F_OWNED   (TABLE_F_OWNER | TABLE_F_PERSIST)

/* A buffer that is larger is not kept for the next commit. */
#define BATCH_KEEP_BYTES (1 << 20)

#define OP_TEXT_BYTES 240

struct echo {
	uint32_t generation;
	bool is_set;
};

static void on_echo(const struct nlmsghdr *nlh, void *arg)
{
	struct echo *echo = arg;
	const struct nlattr *attr;

	if (NFNL_MSG_TYPE(nlh->nlmsg_type) != NFT_MSG_NEWGEN)
		return;
	mnl_attr_for_each(attr, nlh, sizeof(struct nfgenmsg))
	{
		if (mnl_attr_get_type(attr) != NFTA_GEN_ID || mnl_attr_get_payload_len(attr) < 4)
			continue;
		echo->generation = ntohl(mnl_attr_get_u32(attr));
		echo->is_set = true;
	}
}

/*
 * The kernel tells the number of the generation that a commit made. A batch that changes nothing
 * makes none, nor does one that is refused (6.18: nf_tables_commit() with an empty list).
 */
static void note_generation(struct nft *nft, const struct echo *echo)
{
	uint32_t expected = nft->generation + 1 ? nft->generation + 1 : 1; /* never 0 */

	if (!echo->is_set)
		return;
	if (echo->generation != expected)
		nft->is_changed = true;
	nft->generation = echo->generation;
}

/* Send the batch. 0 when it is certain that the kernel has it all; else the refusal is filled. */
int nft_submit(struct nft *nft, struct nl_error *refusal)
{
	struct batch *b = &nft->batch;
	uint32_t last = batch_end(b);
	struct nl_answers answers;
	struct echo echo = { 0, false };

	memset(refusal, 0, sizeof(*refusal));
	refusal->seq = b->seq;
	refusal->code = nl_send(&nft->nl, b->bytes, b->len);
	nft->nl.seq = last + 1;
	if (refusal->code < 0)
		return refusal->code;
	nl_gather(&nft->nl, b->seq, last, &answers, on_echo, &echo);
	if (answers.n_errors > 0) {
		*refusal = answers.first;
		return refusal->code;
	}
	if (answers.n_acks > 0 && answers.last_ack_seq == last && !answers.is_overrun) {
		note_generation(nft, &echo);
		return 0;
	}
	/* The kernel may or may not have it: only reading can tell. */
	nft->is_changed = true;
	refusal->code = answers.code < 0 ? answers.code : -ENOBUFS;
	snprintf(refusal->text, sizeof(refusal->text),
		 "no acknowledgement came; whether it took effect is not known");
	return refusal->code;
}

/* What the refused message was about, in one line, cut where it gets long. */
static void name_op(const struct nft *nft, const struct op_list *ops, const struct nl_error *e,
		    char out[OP_TEXT_BYTES])
{
	size_t i = batch_find_op(&nft->batch, e->seq, e->offset);
	char *text = NULL;
	size_t len = 0;
	FILE *f;

	if (i == BATCH_NO_OP || !ops) {
		snprintf(out, OP_TEXT_BYTES, "changes of table inet %s", nft->table);
		return;
	}
	f = open_memstream(&text, &len);
	if (!f)
		abort();
	op_text(&ops->items[i], nft->table, f);
	fclose(f);
	text[strcspn(text, "\n")] = '\0';
	if (snprintf(out, OP_TEXT_BYTES, "%s", text) >= OP_TEXT_BYTES)
		memcpy(out + OP_TEXT_BYTES - 4, "...", 4);
	free(text);
}

static int not_permitted(struct err *err)
{
	return err_add(err, ERR_SYSTEM, -EPERM, NULL, "the ruleset: CAP_NET_ADMIN is needed");
}

/* What the socket takes follows SO_SNDBUFFORCE, or where that is not allowed the host's maximum
 * (linux: netlink_sendmsg(), sock_setsockopt(): twice that). */
static int too_long(const struct nft *nft, struct err *err)
{
	size_t mib = (nft->batch.len / 2 >> 20) + 1;

	return err_add(err, ERR_KERNEL, -EMSGSIZE, NULL,
		       "a batch of %zu KiB for table inet %s is larger than a socket may send from "
		       "here; without CAP_NET_ADMIN in the first user namespace that takes, on the "
		       "host, sysctl -w net.core.wmem_max=%zu",
		       (nft->batch.len >> 10) + 1, nft->table, mib << 20);
}

/* A rule of expressions that no module brings (ENOENT of nft_expr_type_get(), up to 6.18). */
static bool lacks_module(const struct nft *nft, const struct op_list *ops, const struct nl_error *e)
{
	size_t i = batch_find_op(&nft->batch, e->seq, e->offset);

	return e->code == -ENOENT && ops && i != BATCH_NO_OP &&
	       (ops->items[i].kind == OP_ADD_CHAIN || ops->items[i].kind == OP_SET_CHAIN);
}

static int explain(const struct nft *nft, const struct op_list *ops, const struct nl_error *e,
		   struct err *err)
{
	char what[OP_TEXT_BYTES];

	/* A batch is looked at only when the sender may change the ruleset at all. */
	if (e->code == -EPERM && e->seq == nft->batch.seq)
		return not_permitted(err);
	if (e->code == -EPERM)
		return err_add(err, ERR_CONFLICT, e->code, NULL,
			       "table inet %s belongs to another process (is another fnatd "
			       "running?)",
			       nft->table);
	if (e->code == -EMSGSIZE)
		return too_long(nft, err);
	name_op(nft, ops, e, what);
	return err_add(err, ERR_KERNEL, e->code, NULL, "the kernel refused %s: %s%s%s%s%s", what,
		       strerror(-e->code), e->text[0] ? " (" : "", e->text, e->text[0] ? ")" : "",
		       lacks_module(nft, ops, e)
			       ? "; are the modules of nf_tables loaded? fnatctl doctor names them"
			       : "");
}

/* The kernel keeps others from an owned table by itself. */
static int claim_plain(struct nft *nft, struct err *err)
{
	return nft->table_flags ? 0 : claim_take(nft->table, &nft->claim_fd, err);
}

static int make_table(struct nft *nft, struct nl_error *refusal)
{
	batch_begin(&nft->batch, nft->nl.seq);
	batch_add_table(&nft->batch, nft->table, nft->table_flags);
	return nft_submit(nft, refusal);
}

/*
 * The flags of an existing table cannot be changed, so it decides. One whose owner is gone has
 * lost NFT_TABLE_F_OWNER and waits with NFT_TABLE_F_PERSIST alone; others then cannot be kept
 * from changing it in any other way than by owning it.
 */
static uint32_t choose_flags(const struct nft_options *opt, bool exists, uint32_t present)
{
	if (!exists)
		return opt->plain ? 0 : TABLE_F_OWNED;
	if (!(present & TABLE_F_OWNED)) {
		if (!opt->plain)
			log_info("nft",
				 "table %s is a plain one, and stays so until it is flushed: "
				 "others can change it",
				 opt->table);
		return 0;
	}
	if (opt->plain)
		log_info("nft", "table %s was an owned one, and stays so until it is flushed",
			 opt->table);
	return TABLE_F_OWNED;
}

static int take_table(struct nft *nft, const struct nft_options *opt, struct err *err)
{
	struct nl_error refusal;
	uint32_t present;
	int code = nft_get_table(&nft->nl, nft->table, &present);

	if (code == -EPERM)
		return not_permitted(err);
	if (code < 0 && code != -ENOENT)
		return err_add(err, ERR_KERNEL, code, NULL, "table inet %s: %s", nft->table,
			       strerror(-code));
	nft->table_flags = choose_flags(opt, code == 0, present);
	code = claim_plain(nft, err);
	if (code < 0)
		return code;
	code = make_table(nft, &refusal);
	if ((code == -EOPNOTSUPP || code == -EINVAL) && nft->table_flags) {
		log_info("nft", "the kernel cannot keep others from changing table %s", nft->table);
		nft->table_flags = 0;
		code = claim_plain(nft, err);
		if (code < 0)
			return code;
		code = make_table(nft, &refusal);
	}
	return code < 0 ? explain(nft, NULL, &refusal, err) : 0;
}

int nft_open(const struct nft_options *opt, struct nft **out, struct err *err)
{
	struct nft *nft = mem_zalloc(sizeof(*nft));
	int code = nl_open(&nft->nl, err);

	nft->claim_fd = -1;
	if (code == 0) {
		nft->table = mem_strdup(opt->table);
		code = take_table(nft, opt, err);
	}
	if (code == 0) {
		code = nft_get_generation(nft, &nft->generation);
		if (code < 0)
			err_add(err, ERR_KERNEL, code, NULL, "the ruleset's generation: %s",
				strerror(-code));
	}
	if (code < 0) {
		nft_close(nft);
		return code;
	}
	nft->is_changed = false;
	*out = nft;
	return 0;
}

void nft_close(struct nft *nft)
{
	if (!nft)
		return;
	nl_close(&nft->nl);
	nl_close(&nft->walk.nl);
	found_fini(&nft->found);
	batch_fini(&nft->batch);
	if (nft->claim_fd >= 0)
		close(nft->claim_fd);
	free(nft->table);
	free(nft);
}

bool nft_is_owner(const struct nft *nft)
{
	return nft->table_flags & TABLE_F_OWNER;
}

/* Are these the operations that make all of the table, not some that change it? */
static bool is_whole(const struct op_list *ops)
{
	struct chain base;

	for (size_t i = 0; i < ops->n; i++)
		if (ops->items[i].kind == OP_ADD_CHAIN && base_chain(0, &base) &&
		    strcmp(ops->items[i].chain->name, base.name) == 0)
			return true;
	return false;
}

static void encode(struct nft *nft, const struct op_list *ops)
{
	struct batch *b = &nft->batch;

	batch_begin(b, nft->nl.seq);
	if (nft->must_replace && is_whole(ops)) {
		log_warn("nft", "table %s: deleted and made again", nft->table);
		batch_add_table(b, nft->table, nft->table_flags);
		batch_del_table(b, nft->table);
		nft->must_replace = false;
	}
	batch_add_table(b, nft->table, nft->table_flags);
	batch_add_ops(b, nft->table, ops);
}

static void release_buffers(struct nft *nft)
{
	if (nft->batch.cap > BATCH_KEEP_BYTES)
		batch_fini(&nft->batch);
	found_fini(&nft->found);
}

int nft_commit(struct nft *nft, const struct op_list *ops, struct nft_commit_stats *stats,
	       struct err *err)
{
	uint64_t start_ns = clock_mono_ns(), sent_ns, end_ns;
	bool must_replace = nft->must_replace;
	struct nl_error refusal;
	int code;

	if (stats)
		memset(stats, 0, sizeof(*stats));
	if (ops->n == 0)
		return 0;
	encode(nft, ops);
	sent_ns = clock_mono_ns();
	code = nft_submit(nft, &refusal);
	end_ns = clock_mono_ns();
	log_debug("nft",
		  "commit: %zu operations, %zu messages, %zu bytes, encoded in %llu us, %s in "
		  "%llu us",
		  ops->n, nft->batch.n, nft->batch.len,
		  (unsigned long long)(sent_ns - start_ns) / 1000, code < 0 ? "refused" : "taken",
		  (unsigned long long)(end_ns - sent_ns) / 1000);
	if (stats)
		*stats = (struct nft_commit_stats){ nft->batch.len, nft->batch.n,
						    sent_ns - start_ns, end_ns - sent_ns };
	if (code < 0) {
		nft->must_replace = must_replace;
		explain(nft, ops, &refusal, err);
	}
	release_buffers(nft);
	return code;
}

int nft_changed_elsewhere(struct nft *nft)
{
	uint32_t now = nft->generation;
	int code = nft_get_generation(nft, &now);

	if (code < 0)
		return code;
	if (now != nft->generation)
		nft->is_changed = true;
	return nft->is_changed;
}

int nft_delete(struct nft *nft, struct err *err)
{
	struct nl_error refusal;
	int code;

	batch_begin(&nft->batch, nft->nl.seq);
	batch_del_table(&nft->batch, nft->table);
	code = nft_submit(nft, &refusal);
	if (code == 0) {
		nft->must_replace = false;
		(void)nft_get_generation(nft, &nft->generation);
	}
	return code == 0 || code == -ENOENT ? 0 : explain(nft, NULL, &refusal, err);
}

int nft_flush(const char *table, struct err *err)
{
	struct nft nft = { .table = (char *)table };
	int code = nl_open(&nft.nl, err);

	if (code == 0)
		code = nft_delete(&nft, err);
	nl_close(&nft.nl);
	batch_fini(&nft.batch);
	return code;
}

int nft_try(const struct op_list *ops, struct err *err)
{
	struct nft nft = { .table = (char *)"fnat-try" };
	int code = nl_open(&nft.nl, err);
	struct nl_answers answers = { 0 };
	struct nl_error e;
	uint32_t last;

	if (code == 0) {
		batch_begin(&nft.batch, nft.nl.seq);
		batch_add_table(&nft.batch, nft.table, 0);
		batch_add_ops(&nft.batch, nft.table, ops);
		last = batch_end_dry(&nft.batch);
		e = (struct nl_error){ .seq = nft.batch.seq };
		e.code = nl_send(&nft.nl, nft.batch.bytes, nft.batch.len);
		if (e.code == 0)
			nl_gather(&nft.nl, nft.batch.seq, last, &answers, NULL, NULL);
		if (answers.n_errors > 0)
			e = answers.first;
		/* What is too long to be sent (without CAP_NET_ADMIN) was not judged. */
		if (e.code < 0 && answers.n_errors == 0)
			code = err_add(err, ERR_SYSTEM, e.code, NULL, "the ruleset: %s",
				       strerror(-e.code));
		else
			code = e.code < 0 ? explain(&nft, ops, &e, err) : 0;
	}
	nl_close(&nft.nl);
	batch_fini(&nft.batch);
	return code;
}
