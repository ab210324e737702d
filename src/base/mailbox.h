/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The only way values pass between threads: a queue of pointers whose
 * ownership goes from the sender to the receiver. The receiver either blocks
 * in mailbox_take() (a worker thread) or polls mailbox_fd() (the main loop).
 */
#ifndef FNAT_BASE_MAILBOX_H
#define FNAT_BASE_MAILBOX_H

struct mailbox;

struct mailbox *mailbox_new(void);

/*
 * Only when no other thread uses it any more, which a message does not tell: its sender may still
 * be in mailbox_put(). Messages left are not freed.
 */
void mailbox_free(struct mailbox *mb);

/* Any thread. message must not be NULL. Never blocks on the receiver. */
void mailbox_put(struct mailbox *mb, void *message);

/* Receiver: next message, or NULL when there is none. */
void *mailbox_try_take(struct mailbox *mb);

/* Receiver: next message; waits up to timeout_ms (-1: for ever). NULL: none came. */
void *mailbox_take(struct mailbox *mb, int timeout_ms);

/* Readable when messages wait, and sometimes when none does: mailbox_try_take() until NULL clears
 * it. Borrowed. Made when it is first asked for: a mailbox that is only waited on does without. */
int mailbox_fd(struct mailbox *mb);

#endif
