/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of names of chains and maps, made and taken apart. Inside of the programs: only program*.c
 * include this.
 */
#ifndef FNAT_PLAN_NAME_H
#define FNAT_PLAN_NAME_H

#include "plan/program.h"

/* Programs with slots: the word in names of chains and maps. */
#define NAME_KINDS 4
extern const struct name_kind {
	enum program_kind kind;
	const char *word;
} name_kinds[NAME_KINDS];

/* "?" for a program without slots. */
const char *name_of_kind(uint8_t kind);

char name_family_digit(uint8_t family);
/* 0 when it is neither. */
uint8_t name_digit_family(char digit);

/* A name under construction. */
struct name {
	char *buf;
	size_t len;
};

void name_add(struct name *n, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* The number behind this word at *s, which moves behind it; 0 when it is not there, or above max.
 */
unsigned long name_parse_number(const char **s, const char *word, unsigned long max);
/* Is the word at *s? Then *s moves behind it. */
bool name_parse_word(const char **s, const char *word);
/* PROGRAM_UDP_TIMEOUT() of the number behind this word; 0: it is not there. */
uint16_t name_parse_timeout(const char **s, const char *word);

#endif
