/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The object that a command names: a service ("web"), a pool ("lan") or a
 * backend ("web/a").
 */
#ifndef FNAT_FNATCTL_TARGET_H
#define FNAT_FNATCTL_TARGET_H

struct target {
	char *path;       /* in the API; owned */
	char *what;       /* "backend web/a"; owned */
	const char *name; /* "a", a part of `what` */
};

/* object: "service", "backend" or "pool". CLI_OK, or CLI_USAGE and a message. */
int target_init(struct target *t, const char *object, const char *name);
/* Of a backend: "its state", with the same `what`. */
void target_to_state(struct target *t);
void target_fini(struct target *t);

/* "/v1/services", "/v1/pools". Static. */
const char *target_collection(const char *object);

#endif
