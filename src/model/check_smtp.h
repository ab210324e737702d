/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type smtp. */
#ifndef FNAT_MODEL_CHECK_SMTP_H
#define FNAT_MODEL_CHECK_SMTP_H

struct check_smtp {
	char *hostname; /* that EHLO says; NULL: the balancer's */
};

#endif
