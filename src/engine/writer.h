/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kernel writer: the thread that owns the table (engine/table.h). A batch
 * of a million elements holds it for seconds, and nobody else.
 */
#ifndef FNAT_ENGINE_WRITER_H
#define FNAT_ENGINE_WRITER_H

#include "base/mailbox.h"
#include "engine/job.h"

struct writer;

/* Opens the table in the calling thread, then starts the thread. */
int writer_new(const struct engine_options *opt, struct writer **out, struct err *err);
/* After the last job has come back: collects garbage, ends the thread. */
void writer_free(struct writer *w);

/* Gives the job away. Jobs are done in this order, and each comes back. */
void writer_send(struct writer *w, struct job *job);
/* The next job that is done (also JOB_REPORT, which nobody sent), or NULL. The caller owns it. */
struct job *writer_receive(struct writer *w);
/* The same, but waits for one. */
struct job *writer_wait(struct writer *w);
/* Readable when writer_receive() has something. Borrowed. */
int writer_fd(const struct writer *w);
/* Where the jobs that are done wait: others may put theirs there, too. Borrowed. */
struct mailbox *writer_done(struct writer *w);

#endif
