/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Kernel settings under /proc/sys. What is below net/ is that of the calling
 * thread's network namespace. Only reads: settings are the administrator's.
 */
#ifndef FNAT_KERNEL_SYSCTL_H
#define FNAT_KERNEL_SYSCTL_H

#include <stddef.h>

/* Longest name taken, with the final NUL. */
#define SYSCTL_NAME_BYTES 128

/*
 * The number in /proc/sys/PATH. path has slashes ("net/ipv4/ip_forward"),
 * because interface names may contain dots. 0, -ENOENT (a module is missing,
 * or the name of the interface is wrong), -EINVAL (not a number) or another
 * negative errno; *value is untouched then.
 */
int sysctl_read(const char *path, long *value);

/* net/FAMILY/conf/IFNAME/LEAF: family is "ipv4" or "ipv6". As sysctl_read(). */
int sysctl_read_interface(const char *family, const char *ifname, const char *leaf, long *value);

/* The path as sysctl(8) writes it: slashes to dots and, in interface names, dots to slashes.
 * Returns buf. */
const char *sysctl_name(const char *path, char buf[SYSCTL_NAME_BYTES]);

#endif
