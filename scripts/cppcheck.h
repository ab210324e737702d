/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What cppcheck has to know of headers that it does not read: macros that are loops or types. */
#define mnl_attr_for_each(attr, nlh, offset)             for (attr = 0; attr; attr++)
#define mnl_attr_for_each_nested(attr, nest)             for (attr = 0; attr; attr++)
#define mnl_attr_for_each_payload(payload, payload_size) for (attr = 0; attr; attr++)
#define HASH_ITER(hh, head, item, next)                  for (item = head; item; item = next)
#define TAILQ_HEAD(name, type)                                                                     \
	struct name {                                                                              \
		struct type *tqh_first;                                                            \
		struct type **tqh_last;                                                            \
	}
