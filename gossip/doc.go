// Package gossip is the rumour mill: a thin adapter over hashicorp/memberlist
// that carries opaque bytes to every member and reports who seems to be up.
//
// It owns the bus port (one UDP socket and one TCP listener on the same
// number, the TCP side shared with the caller's own protocol by first byte),
// the SWIM membership of one boot of one node, the queue of broadcasts, and
// the loop that joins again a known node that SWIM believes gone.
//
// It refuses to know what a node table, a slot, an epoch or a vote is. A hint
// is a rumour that may be false, late or missing: one observer's time-out is
// broadcast by SWIM and believed by everybody, so a caller must never count
// hints as evidence. Payloads are lost, repeated and reordered; they must be
// idempotent and commutative, and must name their own sender.
//
// The traps of memberlist that shape this package:
//   - its callbacks run under its node lock, so ours only put into queues;
//   - a dead member's name cannot come back at another address, and a member
//     that left can never return: a member's name is therefore the node id and
//     a boot counter, and every boot is a new member;
//   - any member's join drags its whole view in, so every alive message passes
//     the caller's Admit;
//   - a partition that outlasts suspicion never heals by itself, so the rejoin
//     loop keeps knocking;
//   - its configuration is fixed at creation, and so is the advertised address:
//     a change of either is Stop and Start with a higher boot.
package gossip
