package topology

import (
	"fmt"
	"net"
	"sort"
	"strconv"
	"strings"

	"cobble/slots"
)

// Node is one line of CLUSTER NODES: a node as one node, the one that was asked, sees it.
type Node struct {
	ID       string
	Host     string // IP address or host name as announced; empty when the node does not know its own
	Port     int
	BusPort  int
	Hostname string // the announced host name, when there is one
	Flags    []string
	Primary  string // the id of a replica's primary, "" for a primary
	Epoch    int64
	Linked   bool
	Slots    slots.Set
	// Migrating and Importing are the open slots with the id of the node at the other end. Only the line of the node
	// that was asked has them.
	Migrating map[slots.Slot]string
	Importing map[slots.Slot]string
}

// Has reports whether the node carries a flag, whole words: "fail" is not "fail?".
func (n *Node) Has(flag string) bool {
	for _, f := range n.Flags {
		if f == flag {
			return true
		}
	}
	return false
}

// IsReplica reports whether the node is a replica; what is neither (a handshake) is not.
func (n *Node) IsReplica() bool { return n.Has("slave") }

// IsPrimary reports whether the node is a primary, with or without slots.
func (n *Node) IsPrimary() bool { return n.Has("master") }

// Reachable reports whether it makes sense to talk to the node, in the eyes of the one that was asked.
func (n *Node) Reachable() bool {
	return !n.Has("fail") && !n.Has("noaddr") && !n.Has("handshake") && n.Port != 0
}

// Addr is host:port for dialling.
func (n *Node) Addr() string { return net.JoinHostPort(n.Host, strconv.Itoa(n.Port)) }

// Open counts the node's open slots.
func (n *Node) Open() int { return len(n.Migrating) + len(n.Importing) }

// ParseNodes reads the reply of CLUSTER NODES.
func ParseNodes(text string) ([]*Node, error) {
	var nodes []*Node
	for _, line := range strings.Split(text, "\n") {
		line = strings.TrimSuffix(line, "\r")
		if strings.TrimSpace(line) == "" {
			continue
		}
		n, err := parseLine(line)
		if err != nil {
			return nil, fmt.Errorf("%w in the line %q of CLUSTER NODES", err, line)
		}
		nodes = append(nodes, n)
	}
	if len(nodes) == 0 {
		return nil, fmt.Errorf("CLUSTER NODES is empty")
	}
	return nodes, nil
}

func parseLine(line string) (*Node, error) {
	words := strings.Fields(line)
	if len(words) < 8 {
		return nil, fmt.Errorf("%d fields, not 8 or more", len(words))
	}
	n := &Node{ID: words[0], Flags: strings.Split(words[2], ","), Linked: words[7] == "connected"}
	if err := n.parseAddr(words[1]); err != nil {
		return nil, err
	}
	if words[3] != "-" {
		n.Primary = words[3]
	}
	epoch, err := strconv.ParseInt(words[6], 10, 64)
	if err != nil {
		return nil, fmt.Errorf("a bad epoch %q", words[6])
	}
	n.Epoch = epoch
	for _, w := range words[8:] {
		if strings.HasPrefix(w, "[") {
			if err := n.parseOpen(w); err != nil {
				return nil, err
			}
			continue
		}
		r, err := slots.ParseRange(w)
		if err != nil {
			return nil, err
		}
		n.Slots.AddRange(r)
	}
	return n, nil
}

// parseAddr reads ip:port@cport[,hostname[,name=value…]]; old nodes leave out @cport, and an IPv6 address stands
// without brackets.
func (n *Node) parseAddr(text string) error {
	addr, extra, _ := strings.Cut(text, ",")
	if n.Hostname, _, _ = strings.Cut(extra, ","); strings.Contains(n.Hostname, "=") {
		n.Hostname = ""
	}
	addr, bus, hasBus := strings.Cut(addr, "@")
	colon := strings.LastIndexByte(addr, ':')
	if colon < 0 {
		return fmt.Errorf("an address %q without a port", addr)
	}
	var err error
	n.Host = strings.Trim(addr[:colon], "[]")
	if n.Port, err = strconv.Atoi(addr[colon+1:]); err != nil {
		return fmt.Errorf("a bad port %q", addr[colon+1:])
	}
	n.BusPort = n.Port + 10000
	if hasBus {
		if n.BusPort, err = strconv.Atoi(bus); err != nil {
			return fmt.Errorf("a bad bus port %q", bus)
		}
	}
	return nil
}

// parseOpen reads [slot->-id] (migrating) or [slot-<-id] (importing).
func (n *Node) parseOpen(word string) error {
	body := strings.TrimSuffix(strings.TrimPrefix(word, "["), "]")
	into := &n.Migrating
	number, id, ok := strings.Cut(body, "->-")
	if !ok {
		into = &n.Importing
		if number, id, ok = strings.Cut(body, "-<-"); !ok {
			return fmt.Errorf("a bad open slot %q", word)
		}
	}
	r, err := slots.ParseRange(number)
	if err != nil || r.First != r.Last {
		return fmt.Errorf("a bad open slot %q", word)
	}
	if *into == nil {
		*into = map[slots.Slot]string{}
	}
	(*into)[r.First] = id
	return nil
}

// Signature is equal for two views if and only if they have the same owners of the same slots.
func Signature(nodes []*Node) string {
	var parts []string
	for _, n := range nodes {
		if !n.Slots.Empty() {
			parts = append(parts, n.ID+":"+n.Slots.String())
		}
	}
	sort.Strings(parts)
	return strings.Join(parts, "|")
}

// Myself finds the node that was asked.
func Myself(nodes []*Node) (*Node, error) {
	for _, n := range nodes {
		if n.Has("myself") {
			return n, nil
		}
	}
	return nil, fmt.Errorf("CLUSTER NODES has no line flagged myself")
}
