/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text that came from outside, made fit for JSON, a log and a terminal. */
#ifndef FNAT_BASE_UTF8_H
#define FNAT_BASE_UTF8_H

/*
 * What is not a printable UTF-8 character (RFC 3629) becomes '?', in place: bytes
 * that are no character, also one that was cut, and controls (C0, DEL, C1). Returns text.
 */
char *utf8_clean(char *text);

#endif
