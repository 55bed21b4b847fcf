// Package stream carries the log of a shard from its primary to its replicas:
// a full sync by checkpoint when a replica's log is not a beginning of the
// primary's, the records behind it otherwise, acknowledgements back, and a
// heartbeat both ways.
//
// It owns the replication protocol on an open connection, the checkpoints that
// full syncs read from, what is known of each replica (WAIT,
// min-replicas-to-write, slaveN of INFO), and the state of a replica's own link
// (master_link_status and its companions).
//
// It refuses to know who is primary and why, how a connection is found or
// authenticated, what a record does to the rows, and RESP. It reads no clock:
// Options.Now is one.
//
// # Use
//
// A primary makes one Source per process and calls Serve for each connection
// that a replica opened, in a goroutine of its own. A replica makes a Follower
// for each primary it is told to follow and calls Run, with a function that
// opens a connection; it ends when its context does, and when it has returned
// nothing is applied any more, so the engine may be given to another Follower or
// promoted. Status may be asked from anywhere at any time.
//
// The driver opens connections with DialStream and hands accepted ones to its
// Stream hook; both ends speak from the first byte on:
//
//	source.Serve(ctx, conn, from)                          // Hooks.Stream
//	follower.Run(ctx, func(ctx) { return d.DialStream(…) }) // Hooks.BecomeReplica
//
// Before a Source serves a term it must have appended that term's record: the
// log then tells a member of the old history from one of the new.
//
// # Protocol
//
// The replica says hello with the position of its log. If the primary's log
// Follows it, the primary answers CONTINUE and sends records from there. If
// not, it answers FULL with the files of a checkpoint; the replica gets them one
// by one, from where an earlier attempt stopped, makes them its store and says
// hello again, now with the checkpoint's position. A file that is whole has its
// final name and was synced; of one that is not, the replica sends the CRC of
// what it has, and the primary sends only the rest if that is right.
//
// The primary reads records from disk for each replica, and writes them to a
// blocking connection: there is no send buffer that could grow. A replica that
// falls more than the log's PinBytes behind loses its pin, its connection, and
// on its return does a full sync.
package stream
