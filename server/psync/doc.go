// Package psync serves those who follow this node as Redis replicas follow their primary (SYNC, PSYNC): a file of all
// keys as of one position of the log, and from there on what the log's records do, as commands.
//
// A follower has a stream of its own, with an id and offsets of its own: the log is what all of them have in common. It
// reads the log from the disk at its own pace, so that a slow one costs no memory; one that falls behind the log that is
// kept for it is cut off. After a broken connection its stream waits for it, with a backlog, for a while.
//
// It knows connections, not sessions: what else a client said, and to whom a connection belongs, its caller knows.
package psync
