/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of keepalived.conf(5), HTTP_GET and its neighbours, as checks of fnat. */
#ifndef FNAT_FNATCTL_IMPORT_KEEPALIVED_CHECK_H
#define FNAT_FNATCTL_IMPORT_KEEPALIVED_CHECK_H

#include "fnatctl/import_tree.h"

/* Where a setting that the check does not name may stand, from the inside out. */
struct keepalived_scope {
	const struct import_node *check, *real_server, *virtual_server;
};

/* False: the block is none that can be a check of fnat's. Else what it cannot say is a note. */
bool import_keepalived_check(struct import *im, struct import_service *s,
			     const struct keepalived_scope *scope);

#endif
