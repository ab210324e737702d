/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of TLS: those of checks of type tls, and the first ones of other types that speak it. */
#ifndef FNAT_MODEL_CHECK_TLS_H
#define FNAT_MODEL_CHECK_TLS_H

#include <stdint.h>

enum check_verify {
	CHECK_VERIFY_NONE,
	CHECK_VERIFY_CHAIN, /* signed by whom we trust */
	CHECK_VERIFY_FULL,  /* and for the name that was asked for */
};

struct check_tls {
	char *sni;            /* a host name, or NULL */
	uint32_t verify;      /* enum check_verify */
	char *ca;             /* absolute path of PEM; NULL: the system's */
	char *certificate;    /* absolute path of PEM, or NULL: none */
	char *key;            /* NULL: in the same file */
	uint32_t expiry_days; /* warn so long before; 0: never */
};

#endif
