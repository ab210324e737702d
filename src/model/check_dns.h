/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type dns. */
#ifndef FNAT_MODEL_CHECK_DNS_H
#define FNAT_MODEL_CHECK_DNS_H

#include <stdint.h>

/* Index into the words of the field "record"; check_dns_record() has the number of RFC 1035. */
struct check_dns {
	char *name; /* fully qualified, with or without the last dot */
	uint32_t record;
	char *expect;   /* that one of the answers must be, as text; or NULL */
	uint32_t rcode; /* enum check_dns_rcode */
};

enum check_dns_rcode {
	CHECK_DNS_NOERROR,  /* and nothing else */
	CHECK_DNS_NXDOMAIN, /* or that there is no such name */
	CHECK_DNS_ANY,      /* any answer at all */
};

uint16_t check_dns_record(const struct check_dns *d);

/* A name to the form that it has in a message (RFC 1035, 3.1). The length; 0: it is no name. */
#define CHECK_DNS_NAME_BYTES 255
unsigned int check_dns_encode(const char *name, uint8_t out[CHECK_DNS_NAME_BYTES]);

#endif
