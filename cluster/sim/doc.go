// Package sim runs many cluster.Machines in one goroutine under virtual time
// and a seeded random source, and hurts them: messages are lost, doubled,
// delayed and reordered, links are cut one way, processes pause and crash and
// lose what they had not synced, clocks run at different speeds.
//
// It owns the modelled network, disk, clock and shard log, the schedules of
// faults and administrator commands, and the checkers, which judge by what
// leaves the machines (messages, views, roles) and know nothing of their
// insides. It refuses to know sockets and real time.
package sim
