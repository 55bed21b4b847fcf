package command

import (
	"slices"

	"cobble/cluster"
	"cobble/slots"
)

// endpointKind is cluster-preferred-endpoint-type.
func (c *Call) endpointKind() string { return c.Env.Config.Text("cluster-preferred-endpoint-type") }

// writeEndpoint writes where clients are sent for a node.
func (c *Call) writeEndpoint(n *cluster.Node, kind string) {
	switch {
	case kind == "unknown-endpoint":
		c.Out.Null()
	case kind == "hostname" && n.Hostname == "":
		c.Out.BulkString("?")
	case kind == "hostname":
		c.Out.BulkString(n.Hostname)
	default:
		c.Out.BulkString(n.Addr.IP)
	}
}

// replicasOf lists the nodes that replicate a primary, in the order of their
// ids, which is the same on every node.
func replicasOf(v *cluster.View, id cluster.ID) []*cluster.Node {
	var out []*cluster.Node
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.Primary == id {
			out = append(out, n)
		}
	}
	return out
}

// clusterSlots is CLUSTER SLOTS: an entry a range of slots with one owner, its
// primary first, then the replicas that have not failed.
func clusterSlots(c *Call) error {
	v := c.Env.Cluster.View()
	type entry struct {
		r     slots.Range
		nodes []*cluster.Node
	}
	var entries []entry
	for i := range v.Nodes {
		n := &v.Nodes[i]
		if n.Slots == nil || n.Slots.Empty() {
			continue
		}
		nodes := []*cluster.Node{n}
		for _, replica := range replicasOf(v, n.ID) {
			if !replica.Fail {
				nodes = append(nodes, replica)
			}
		}
		for _, r := range n.Slots.Ranges() {
			entries = append(entries, entry{r, nodes})
		}
	}
	slices.SortFunc(entries, func(a, b entry) int { return int(a.r.First) - int(b.r.First) })
	kind := c.endpointKind()
	c.Out.Array(len(entries))
	for _, e := range entries {
		c.Out.Array(2 + len(e.nodes))
		c.Out.Int(int64(e.r.First))
		c.Out.Int(int64(e.r.Last))
		for _, n := range e.nodes {
			c.writeSlotNode(n, kind)
		}
	}
	return nil
}

// writeSlotNode writes endpoint, port, id, and what else is known of where the node is.
func (c *Call) writeSlotNode(n *cluster.Node, kind string) {
	c.Out.Array(4)
	c.writeEndpoint(n, kind)
	c.Out.Int(int64(n.Addr.Port))
	c.Out.BulkString(n.ID.String())
	withIP, withHost := kind != "ip", kind != "hostname" && n.Hostname != ""
	more := 0
	for _, with := range []bool{withIP, withHost} {
		if with {
			more++
		}
	}
	c.Out.Map(more)
	if withIP {
		c.Out.BulkString("ip")
		c.Out.BulkString(n.Addr.IP)
	}
	if withHost {
		c.Out.BulkString("hostname")
		c.Out.BulkString(n.Hostname)
	}
}

// clusterShards is CLUSTER SHARDS: each primary with its replicas and slots.
func clusterShards(c *Call) error {
	v := c.Env.Cluster.View()
	kind := c.endpointKind()
	var primaries []*cluster.Node
	for i := range v.Nodes {
		if n := &v.Nodes[i]; n.IsPrimary() && !n.Handshake {
			primaries = append(primaries, n)
		}
	}
	c.Out.Array(len(primaries))
	for _, p := range primaries {
		c.Out.Map(2)
		c.Out.BulkString("slots")
		var ranges []slots.Range
		if p.Slots != nil {
			ranges = p.Slots.Ranges()
		}
		c.Out.Array(2 * len(ranges))
		for _, r := range ranges {
			c.Out.Int(int64(r.First))
			c.Out.Int(int64(r.Last))
		}
		c.Out.BulkString("nodes")
		nodes := append([]*cluster.Node{p}, replicasOf(v, p.ID)...)
		c.Out.Array(len(nodes))
		for _, n := range nodes {
			c.writeShardNode(n, kind)
		}
	}
	return nil
}

func (c *Call) writeShardNode(n *cluster.Node, kind string) {
	fields := 7
	if n.Hostname != "" {
		fields++
	}
	c.Out.Map(fields)
	text := func(name, value string) {
		c.Out.BulkString(name)
		c.Out.BulkString(value)
	}
	text("id", n.ID.String())
	c.Out.BulkString("port")
	c.Out.Int(int64(n.Addr.Port))
	text("ip", n.Addr.IP)
	c.Out.BulkString("endpoint")
	c.writeEndpoint(n, kind)
	if n.Hostname != "" {
		text("hostname", n.Hostname)
	}
	role, health := "master", "online"
	if !n.IsPrimary() {
		role = "replica"
	}
	if n.Fail {
		health = "fail"
	}
	text("role", role)
	c.Out.BulkString("replication-offset")
	c.Out.Int(int64(n.Offset))
	text("health", health)
}

// clusterLinks is CLUSTER LINKS.
func clusterLinks(c *Call) error {
	links := c.Env.Cluster.Links()
	c.Out.Array(len(links))
	for _, l := range links {
		direction := "from"
		if l.ToPeer {
			direction = "to"
		}
		c.Out.Map(6)
		c.Out.BulkString("direction")
		c.Out.BulkString(direction)
		c.Out.BulkString("node")
		c.Out.BulkString(l.ID.String())
		c.Out.BulkString("create-time")
		c.Out.Int(l.Created)
		c.Out.BulkString("events")
		if l.Allocated > 0 {
			c.Out.BulkString("rw")
		} else {
			c.Out.BulkString("r")
		}
		c.Out.BulkString("send-buffer-allocated")
		c.Out.Int(int64(l.Allocated))
		c.Out.BulkString("send-buffer-used")
		c.Out.Int(int64(l.Allocated))
	}
	return nil
}
