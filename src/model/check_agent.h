/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type agent. */
#ifndef FNAT_MODEL_CHECK_AGENT_H
#define FNAT_MODEL_CHECK_AGENT_H

#define CHECK_AGENT_SEND_BYTES 255

struct check_agent {
	char *send; /* when the connection is there; NULL: nothing */
};

#endif
