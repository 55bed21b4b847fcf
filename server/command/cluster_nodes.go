package command

import (
	"fmt"
	"strconv"
	"strings"

	"cobble/cluster"
)

// clusterNodes is CLUSTER NODES: one line a node, in Redis's format.
func clusterNodes(c *Call) error {
	view := c.Env.Cluster.FreshView()
	text := make([]byte, 0, 200*len(view.Nodes))
	for i := range view.Nodes {
		text = appendNode(text, view, &view.Nodes[i])
		text = append(text, '\n')
	}
	c.Out.Verbatim("txt", string(text))
	return nil
}

// clusterReplicas is CLUSTER REPLICAS: the lines of one primary's replicas.
func clusterReplicas(c *Call) error {
	n, err := c.knownNode(c.Args[2])
	if err != nil {
		return err
	}
	if !n.IsPrimary() {
		return Error("ERR The specified node is not a master")
	}
	view := c.Env.Cluster.FreshView()
	var lines [][]byte
	for i := range view.Nodes {
		if view.Nodes[i].Primary == n.ID {
			lines = append(lines, appendNode(nil, view, &view.Nodes[i]))
		}
	}
	c.Out.Array(len(lines))
	for _, line := range lines {
		c.Out.Bulk(line)
	}
	return nil
}

// appendNode appends the line of one node:
// id ip:port@bus[,host] flags primary ping pong epoch link [range…] [open slot…].
func appendNode(b []byte, view *cluster.View, n *cluster.Node) []byte {
	b = fmt.Appendf(b, "%s %s:%d@%d", n.ID, n.Addr.IP, n.Addr.Port, n.Addr.BusPort)
	if n.Hostname != "" {
		b = append(append(b, ','), n.Hostname...)
	}
	b = append(append(b, ' '), n.FlagText()...)
	if n.IsPrimary() {
		b = append(b, " -"...)
	} else {
		b = append(append(b, ' '), n.Primary.String()...)
	}
	link := "disconnected"
	if n.Connected || n.Myself {
		link = "connected"
	}
	b = fmt.Appendf(b, " %d %d %d %s", n.PingSent, n.PongReceived, n.ConfigEpoch, link)
	if n.Slots != nil && !n.Slots.Empty() {
		for _, r := range n.Slots.Ranges() {
			b = append(append(b, ' '), r.String()...)
		}
	}
	if n.Myself {
		for _, o := range view.Migrating {
			b = fmt.Appendf(b, " [%d->-%s]", o.Slot, o.Peer)
		}
		for _, o := range view.Importing {
			b = fmt.Appendf(b, " [%d-<-%s]", o.Slot, o.Peer)
		}
	}
	return b
}

// clusterInfo is CLUSTER INFO.
func clusterInfo(c *Call) error {
	v := c.Env.Cluster.View()
	var b strings.Builder
	line := func(name string, value uint64) { b.WriteString(name + ":" + strconv.FormatUint(value, 10) + "\r\n") }
	b.WriteString("cluster_state:" + v.State.String() + "\r\n")
	line("cluster_slots_assigned", uint64(v.Assigned))
	line("cluster_slots_ok", uint64(v.SlotsOK))
	line("cluster_slots_pfail", uint64(v.SlotsPFail))
	line("cluster_slots_fail", uint64(v.SlotsFail))
	line("cluster_known_nodes", uint64(len(v.Nodes)))
	line("cluster_size", uint64(v.Size))
	line("cluster_current_epoch", v.CurrentEpoch)
	line("cluster_my_epoch", v.Myself().ConfigEpoch)
	sums := [2]int64{}
	for i, word := range []string{"sent", "received"} {
		for _, m := range c.Env.Cluster.Messages() {
			n := [2]int64{m.Sent, m.Received}[i]
			if n > 0 {
				line("cluster_stats_messages_"+m.Name+"_"+word, uint64(n))
				sums[i] += n
			}
		}
		line("cluster_stats_messages_"+word, uint64(sums[i]))
	}
	line("total_cluster_links_buffer_limit_exceeded", 0)
	c.Out.Verbatim("txt", b.String())
	return nil
}
