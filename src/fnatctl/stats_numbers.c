/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fnatctl/stats_numbers.h"

#include <stddef.h>

const struct number stats_totals[] = {
	{ ">CONNS", "conns" },
	{ ">INPKTS", "inpkts" },
	{ ">OUTPKTS", "outpkts" },
	{ ">INBYTES", "inbytes" },
	{ ">OUTBYTES", "outbytes" },
	{ ">ACTIVE", "activeconns" },
	{ ">INACT", "inactconns" },
	{ ">REFUSED", "refused" },
	{ ">TIMED-OUT", "timed_out" },
	{ ">FAILED", "failed" },
	{ ">PERSIST", "persistconns" },
	{ ">OVERFLOWED", "overflowed" },
	{ NULL, NULL },
};

const struct number stats_begun = { ">BEGUN", "begun" };

const struct number stats_rates[] = {
	{ ">CPS", "cps" },          { ">INPPS", "inpps" },   { ">OUTPPS", "outpps" },
	{ ">INBPS", "inbps" },      { ">OUTBPS", "outbps" }, { ">ACTIVE", "activeconns" },
	{ ">INACT", "inactconns" }, { NULL, NULL },
};
