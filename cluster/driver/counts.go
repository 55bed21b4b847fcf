package driver

import (
	"sync/atomic"

	"cobble/cluster"
)

// sort is a kind of bus traffic that CLUSTER INFO counts. The names are
// redis-server's where it has the like.
type sort int

const (
	sortPing sort = iota
	sortPong
	sortMeet
	sortFail
	sortPublish
	sortAuthReq
	sortAuthAck
	sortUpdate
	sortManual
	sortReport
	sortRegister
	sorts
)

var sortNames = [sorts]string{"ping", "pong", "meet", "fail", "publish", "auth-req", "auth-ack", "update", "mfstart", "report", "register"}

func sortOf(b cluster.Body) sort {
	switch b.(type) {
	case cluster.Hello, cluster.HelloOK:
		return sortMeet
	case cluster.Fail, cluster.Unfail:
		return sortFail
	case cluster.Prepare:
		return sortAuthReq
	case cluster.Promise:
		return sortAuthAck
	case cluster.Records, cluster.Digest, cluster.Fetch:
		return sortUpdate
	case cluster.ManualStart, cluster.ManualOffset, cluster.ManualCancel:
		return sortManual
	case cluster.Verify, cluster.Report, cluster.Standing:
		return sortReport
	}
	return sortRegister
}

// counts of bus traffic since the start.
type counts struct{ sent, received [sorts]atomic.Int64 }

// MessageCount is what was sent and received of one sort of traffic.
type MessageCount struct {
	Name           string
	Sent, Received int64
}

// Messages counts the bus traffic since the start, gossip apart.
func (d *Driver) Messages() []MessageCount {
	out := make([]MessageCount, sorts)
	for i := range out {
		out[i] = MessageCount{sortNames[i], d.bus.counts.sent[i].Load(), d.bus.counts.received[i].Load()}
	}
	return out
}
