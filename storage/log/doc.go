// Package log owns the shard log of a node: one sequence of records, position
// = LSN = cumulative byte offset, byte-identical on every member of a shard.
// The log is the write-ahead log of the storage engine (there is no other),
// the source of replication, of slot moves and of incremental backup.
//
// It owns the record and segment formats, group commit, the levels a record
// climbs (buffered, written, synced, committed), segments and their room on
// disk, readers from any held position into the live tail, pins that keep
// segments, trimming, cutting a tail, and what a crash may leave behind.
//
// It refuses to know what a payload means, which rows exist, what a slot
// header holds, who the members of the shard are, and any network. It reads no
// clock: time comes in with each record and through Options.
//
// # Levels
//
// Append only copies a record into a buffer. Nobody may be told of a record
// (client, replica, reader) before it is Written: write(2) returned, so that a
// killed process loses nothing. Synced means fdatasync returned. Committed is
// what the members of the shard agreed on; without in-sync replication it is
// the level that the fsync policy promises (Promised).
//
// # Positions
//
// A record's LSN is the offset of its end; its start is the LSN of the record
// before it. The CRC of every record is seeded with the CRC of the record
// before it, so an equal (LSN, CRC) of two logs means equal bytes up to there
// (but for one chance in 2^32), and a stale record behind a cut or torn tail
// can never continue a newer one. Position{LSN, Term, CRC} is therefore all
// that a follower, or a watermark, needs to remember.
//
// # Damage
//
// A bad record before the last segment, below the watermark, or below the sync
// point (a small file that says how far the log was synced) was good once: that
// is a CorruptError, and nothing is changed. Above all three it may be what a
// crash left, under any policy, even with whole records behind it, for the disk
// need not write pages in order: that tail is kept aside and cut.
//
// # Room
//
// A record is admitted only into room that is reserved on disk: the rest of
// the current segment, or the spare segment that is prepared ahead. A full
// disk shows as ErrDiskFull from Append, when nothing has changed yet, and
// clears itself when there is space again. The last part of a segment is kept
// for records marked Essential (deletions, terms) while no spare can be had.
//
// # Locks
//
// Log.mu guards the append buffer and the list of segments; no I/O happens
// under it. Two turns, Log.writing and Log.syncing (taken in this order), are
// each held by the one goroutine that does that kind of I/O: the first waiter,
// or the log's own writer and syncer when the waiter does not want to block.
package log
