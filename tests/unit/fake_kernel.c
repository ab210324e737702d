/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's writer thread and the test both look: everything is under one mutex. */
#include "fake_kernel.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "kernel/ct.h"
#include "kernel/nft_entries.h"
#include "kernel/preflight.h"

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct image image;
static unsigned int batches, to_break;
static const char *refused;
static bool is_changed_elsewhere;
static size_t swept, departed;

struct nft {
	bool is_owner;
};

struct ct {
	int unused;
};

void fake_init(void)
{
	image_init(&image);
	batches = to_break = 0;
	refused = NULL;
	is_changed_elsewhere = false;
	swept = departed = 0;
}

void fake_fini(void)
{
	image_fini(&image);
}

void fake_refuse(const char *comment)
{
	pthread_mutex_lock(&mutex);
	refused = comment;
	pthread_mutex_unlock(&mutex);
}

void fake_break(unsigned int n)
{
	pthread_mutex_lock(&mutex);
	to_break = n;
	pthread_mutex_unlock(&mutex);
}

void fake_foreign_delete_table(void)
{
	pthread_mutex_lock(&mutex);
	image_fini(&image);
	image_init(&image);
	is_changed_elsewhere = true;
	pthread_mutex_unlock(&mutex);
}

void fake_foreign_delete_element(enum map_kind kind)
{
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < image.n_elems; i++) {
		if (image.elems[i].map.kind == kind) {
			memmove(&image.elems[i], &image.elems[i + 1],
				(--image.n_elems - i) * sizeof(image.elems[0]));
			break;
		}
	}
	is_changed_elsewhere = true;
	pthread_mutex_unlock(&mutex);
}

void fake_foreign_add_chain(const char *name)
{
	struct chain c = { .n_rules = 1, .rules = { { .kind = RULE_FOREIGN } } };

	pthread_mutex_lock(&mutex);
	strncpy(c.name, name, sizeof(c.name) - 1);
	image_add_chain(&image, &c);
	image_sort(&image);
	is_changed_elsewhere = true;
	pthread_mutex_unlock(&mutex);
}

unsigned int fake_batches(void)
{
	unsigned int n;

	pthread_mutex_lock(&mutex);
	n = batches;
	pthread_mutex_unlock(&mutex);
	return n;
}

size_t fake_elements(enum map_kind kind)
{
	size_t n = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < image.n_elems; i++)
		n += image.elems[i].map.kind == kind;
	pthread_mutex_unlock(&mutex);
	return n;
}

size_t fake_commented(const char *comment)
{
	size_t n = 0;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < image.n_elems; i++)
		n += image.elems[i].comment && strcmp(image.elems[i].comment, comment) == 0;
	pthread_mutex_unlock(&mutex);
	return n;
}

bool fake_has_chain(const char *name)
{
	bool found = false;

	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < image.n_chains; i++)
		found |= strcmp(image.chains[i].name, name) == 0;
	pthread_mutex_unlock(&mutex);
	return found;
}

size_t fake_departed(void)
{
	size_t n;

	pthread_mutex_lock(&mutex);
	n = departed;
	departed = 0;
	pthread_mutex_unlock(&mutex);
	return n;
}

size_t fake_swept(void)
{
	size_t n;

	pthread_mutex_lock(&mutex);
	n = swept;
	swept = 0;
	pthread_mutex_unlock(&mutex);
	return n;
}

int nft_open(const struct nft_options *opt, struct nft **out, struct err *err)
{
	(void)err;
	*out = mem_zalloc(sizeof(**out));
	(*out)->is_owner = !opt->plain;
	return 0;
}

void nft_close(struct nft *nft)
{
	free(nft);
}

bool nft_is_owner(const struct nft *nft)
{
	return nft->is_owner;
}

int nft_read(struct nft *nft, const struct image *want, struct image *have, struct err *err)
{
	(void)nft;
	(void)want;
	(void)err;
	pthread_mutex_lock(&mutex);
	for (size_t i = 0; i < image.n_maps; i++)
		image_add_map(have, &image.maps[i]);
	for (size_t i = 0; i < image.n_chains; i++)
		image_add_chain(have, &image.chains[i]);
	for (size_t i = 0; i < image.n_elems; i++) {
		const struct elem *from = &image.elems[i];
		struct elem *e = image_add_elem(have);

		*e = *from;
		e->comment = from->comment ? image_string(have, from->comment) : NULL;
		e->pool = from->pool ? image_string(have, from->pool) : NULL;
		e->map.pool = from->map.pool ? image_string(have, from->map.pool) : NULL;
	}
	image_sort(have);
	is_changed_elsewhere = false;
	pthread_mutex_unlock(&mutex);
	return 0;
}

void nft_match_chains(struct nft *nft, const struct image *want, struct image *have)
{
	(void)nft;
	(void)want;
	(void)have;
}

static int check_ops(const struct op_list *ops, struct err *err)
{
	if (to_break > 0) {
		to_break--;
		return err_add(err, ERR_SYSTEM, -EIO, NULL, "the socket broke");
	}
	for (size_t i = 0; refused && i < ops->n; i++) {
		const struct op *op = &ops->items[i];

		if (op->kind == OP_ADD_ELEM && op->elem.comment &&
		    strcmp(op->elem.comment, refused) == 0)
			return err_add(err, ERR_KERNEL, -ENOSPC, NULL, "refused: %s", refused);
	}
	return 0;
}

int nft_commit(struct nft *nft, const struct op_list *ops, struct nft_commit_stats *stats,
	       struct err *err)
{
	int code;

	(void)nft;
	(void)stats;
	pthread_mutex_lock(&mutex);
	code = check_ops(ops, err);
	if (code == 0) {
		batches++;
		code = image_apply(&image, ops);
		if (code < 0)
			err_add(err, ERR_KERNEL, code, NULL, "an operation does not fit");
	}
	pthread_mutex_unlock(&mutex);
	return code;
}

int nft_changed_elsewhere(struct nft *nft)
{
	bool is_changed;

	(void)nft;
	pthread_mutex_lock(&mutex);
	is_changed = is_changed_elsewhere;
	pthread_mutex_unlock(&mutex);
	return is_changed;
}

int nft_delete(struct nft *nft, struct err *err)
{
	(void)nft;
	(void)err;
	pthread_mutex_lock(&mutex);
	image_fini(&image);
	image_init(&image);
	pthread_mutex_unlock(&mutex);
	return 0;
}

int nft_flush(const char *table, struct err *err)
{
	(void)table;
	return nft_delete(NULL, err);
}

int ct_open(struct ct **out, struct err *err)
{
	(void)err;
	*out = mem_zalloc(sizeof(**out));
	return 0;
}

void ct_close(struct ct *ct)
{
	free(ct);
}

long ct_sweep_untranslated(struct ct *ct, const struct listener *listeners, size_t n,
			   struct err *err)
{
	(void)ct;
	(void)listeners;
	(void)err;
	pthread_mutex_lock(&mutex);
	swept += n;
	pthread_mutex_unlock(&mutex);
	return (long)n;
}

long ct_delete(struct ct *ct, struct ct_target *targets, size_t n, struct err *err)
{
	(void)ct;
	(void)targets;
	(void)err;
	pthread_mutex_lock(&mutex);
	departed += n;
	pthread_mutex_unlock(&mutex);
	return (long)n;
}

void preflight_run(const struct preflight_input *in, struct findings *out)
{
	(void)in;
	VEC_PUSH(out->items, out->n, out->cap) = (struct finding){
		.id = "fake",
		.severity = SEVERITY_INFO,
		.what = mem_strdup("a fake kernel"),
		.why = mem_strdup("this is a test"),
		.remedy = mem_strdup("none"),
	};
}

void findings_fini(struct findings *f)
{
	for (size_t i = 0; i < f->n; i++) {
		free(f->items[i].what);
		free(f->items[i].why);
		free(f->items[i].remedy);
	}
	free(f->items);
	*f = (struct findings){ 0 };
}

const char *severity_name(enum severity s)
{
	(void)s;
	return "info";
}

/* The stand-in has no packets, so nobody is remembered. */
void entries_fini(struct entries *e)
{
	free(e->items);
	*e = (struct entries){ 0 };
}

int nft_entries_read(struct nft *nft, const struct map_ref *map, struct entries *out,
		     struct err *err)
{
	(void)nft;
	(void)map;
	(void)out;
	(void)err;
	return 0;
}

int nft_walk_begin(struct nft *nft, const struct map_ref *map, struct err *err)
{
	(void)nft;
	(void)map;
	(void)err;
	return 0;
}

int nft_walk_next(struct nft *nft, struct entries *out, bool *is_done, struct err *err)
{
	(void)nft;
	(void)out;
	(void)err;
	*is_done = true;
	return 0;
}

int nft_entries_delete(struct nft *nft, const struct map_ref *map, const struct entry *items,
		       size_t n, struct err *err)
{
	(void)nft;
	(void)map;
	(void)items;
	(void)n;
	(void)err;
	return 0;
}
