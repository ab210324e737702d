/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * /v1/config, and the lists /v1/services and /v1/pools
 */
#include "api/call.h"
#include "api/edit.h"
#include "api/handlers.h"
#include "api/listing.h"

void config_get(struct call *c)
{
	listing_answer(c, LISTING_CONFIG);
}

void services_get(struct call *c)
{
	listing_answer(c, LISTING_SERVICES);
}

void pools_get(struct call *c)
{
	listing_answer(c, LISTING_POOLS);
}

static int config_read(struct edit *e, const char *text, size_t len, struct err *err)
{
	return config_parse(text, len, &e->config, err);
}

static int config_prepare(struct edit *e, const struct model *m, struct changes *out,
			  struct err *err)
{
	(void)err;
	config_changes(&e->config, m, out);
	return 0;
}

/* Not the document: who has just sent it knows it. */
static json_t *config_result(const struct edit *e, uint64_t generation)
{
	(void)e;
	return json_pack("{s:I}", "generation", (json_int_t)generation);
}

const struct edit_kind config_put = {
	.body = EDIT_JSON,
	.is_large = true,
	.read_text = config_read,
	.prepare = config_prepare,
	.result = config_result,
};
