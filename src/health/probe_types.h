/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The types of probes, for their table: each is in its file probe_TYPE.c. */
#ifndef FNAT_HEALTH_PROBE_TYPES_H
#define FNAT_HEALTH_PROBE_TYPES_H

#include "health/probe.h"

extern const struct probe_type probe_agent;
extern const struct probe_type probe_dns;
extern const struct probe_type probe_exec;
extern const struct probe_type probe_grpc;
extern const struct probe_type probe_grpcs;
extern const struct probe_type probe_http;
extern const struct probe_type probe_https;
extern const struct probe_type probe_icmp;
extern const struct probe_type probe_smtp;
extern const struct probe_type probe_tcp;
extern const struct probe_type probe_tls;
extern const struct probe_type probe_udp;

#endif
