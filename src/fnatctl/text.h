/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Text that comes from elsewhere and goes to a terminal.
 */
#ifndef FNAT_FNATCTL_TEXT_H
#define FNAT_FNATCTL_TEXT_H

#include <stddef.h>

/* Columns of a terminal that UTF-8 text takes; what is not UTF-8 counts one a byte. */
size_t text_width(const char *s);

/* A copy with every control character and every byte that is not UTF-8 as \xNN: text of others
 * must not move the cursor. Owned by the caller. */
char *text_safe(const char *s);

/* s, or s with an "s" when n is not 1: "1 service", "3 services". Returns buf. */
const char *text_count(unsigned long long n, const char *s, char buf[64]);

/* Seconds as "12 s", "3 min 5 s", "2 h 10 min", "5 d 3 h". Returns buf. */
const char *text_duration(unsigned long long seconds, char buf[64]);

#endif
