/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What time it is, see clock_gettime(2). What decides is passed a time; these are for what acts. */
#ifndef FNAT_BASE_CLOCK_H
#define FNAT_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Nanoseconds. CLOCK_MONOTONIC, which never jumps; CLOCK_REALTIME, since 1970; and others. */
uint64_t clock_ns(clockid_t id);

static inline uint64_t clock_mono_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

static inline uint64_t clock_mono_us(void)
{
	return clock_mono_ns() / 1000;
}

static inline uint64_t clock_mono_ms(void)
{
	return clock_mono_ns() / 1000000;
}

static inline uint64_t clock_real_ns(void)
{
	return clock_ns(CLOCK_REALTIME);
}

/* Signed, because documents and the store have it so. */
static inline int64_t clock_real_ms(void)
{
	return (int64_t)(clock_real_ns() / 1000000);
}

#endif
