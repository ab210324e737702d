/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Options of checks of type exec. */
#ifndef FNAT_MODEL_CHECK_EXEC_H
#define FNAT_MODEL_CHECK_EXEC_H

#include <stdbool.h>

#include "model/check_texts.h"

#define CHECK_EXEC_ARGS_MAX 32

struct check_exec {
	char *program; /* the name of a file in the directory of `fnatd --programs` */
	struct check_texts args;
	bool has_dynamic_weight; /* exit status 2 to 255: well, and its weight is that minus 2 */
};

#endif
