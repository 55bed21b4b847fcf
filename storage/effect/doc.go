// Package effect says in Redis's commands what the records of the log did, for those who follow a node and speak no
// other language. It is a function of the log alone: a record is rows after their change, the rows of one object with the
// metadata of the key that has it, and notes on what rows do not tell (format.Note). From the same position on the same
// commands follow on every member of a shard.
//
// A server that runs the commands on what it had at the position where the log was begun to be read has afterwards the
// same keys with the same values and expiries. Values that stand whole in their metadata are set whole (SET, RESTORE);
// of others only what has changed is sent. One record's commands are one transaction.
//
// That fields of a hash expire is not said, since the servers of most followers have no words for it: a field is there
// until the primary has removed it.
//
// It knows no connections, and no other state of the store than the numbers of objects and keys of each slot.
package effect
