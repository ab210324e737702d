/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which connections: KEY=VALUE words of the command line as a query of /v1/connections.
 */
#ifndef FNAT_FNATCTL_CONDITIONS_H
#define FNAT_FNATCTL_CONDITIONS_H

#include <stddef.h>

/*
 * "?service=web&state=established", or "" for no words; NULL, and a message, when one is not
 * understood. The value of backend may be SERVICE/BACKEND. Owned by the caller.
 */
char *conditions_query(char *const words[], size_t n);

#endif
