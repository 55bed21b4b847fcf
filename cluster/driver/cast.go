package driver

import (
	"net"

	"cobble/cluster"
)

// Cast sends bytes to a node for its Cast hook: at most once, in order per
// pair of nodes, behind everything the machine has to say. False when they were
// dropped here: the node is not known, or too much waits for it.
func (d *Driver) Cast(to cluster.ID, kind byte, body []byte) bool {
	addr, err := d.addrOf(to)
	return err == nil && d.bus.cast(to, addr, kind, body)
}

// DialStream opens a connection to a node and hands the other end, with header
// (at most 64 KiB), to its Stream hook. The connection is the caller's.
func (d *Driver) DialStream(to cluster.ID, header []byte) (net.Conn, error) {
	addr, err := d.addrOf(to)
	if err != nil {
		return nil, err
	}
	return d.bus.dialStream(to, addr, header)
}
