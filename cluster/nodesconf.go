package cluster

import (
	"bytes"
	"errors"
	"fmt"
	"sort"
	"strconv"
	"strings"

	"cobble/slots"
)

// The text of nodes.conf. Lines end in \n, words are separated by one space.
//
//	file    = "x-format 2" line* "x-end"
//	line    = x-generation | node | x-node | x-electors | x-ban | vars
//	x-generation = "x-generation" n
//	          (counts replacements of the file: a journal beside it of the same number goes on from here; absent: 0)
//	node    = id ip:port@bus[,hostname] flags primary|- ping pong epoch link range* open*
//	          (a line of CLUSTER NODES as redis-server writes it)
//	x-node  = "x-node" id boot counter incarnation flags cluster shard term epoch offset claims|-
//	          (what Redis's line has no room for; claims = range{","range})
//	x-electors = "x-electors" cluster ver into|- member{","member}|- member{","member}|-
//	          (members in force, members before; member = id ":" incarnation)
//	x-ban   = "x-ban" id until
//	vars    = "vars currentEpoch" n "lastVoteEpoch 0"
//
// The own node is the one flagged myself. A file without "x-end" was cut off.
// Format 1 had no x-generation, and no journal beside it.

// nodesConfFormat is the version this code writes; it reads all up to it.
const nodesConfFormat = 2

// EncodeNodesConf returns the text of nodes.conf.
func EncodeNodesConf(c *NodesConf) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "x-format %d\nx-generation %d\n", nodesConfFormat, c.Generation)
	for _, r := range c.Records {
		encodeNode(&b, c, r)
	}
	for _, r := range c.Records {
		claims := "-"
		if r.Slots != nil && !r.Slots.Empty() {
			claims = strings.ReplaceAll(r.Slots.String(), " ", ",")
		}
		fmt.Fprintf(&b, "x-node %s %d %d %d %d %s %s %d %d %d %s\n", r.ID, r.Boot, r.Counter, r.Incarnation,
			r.Flags, r.Cluster, r.Shard, r.Term, r.ConfigEpoch, r.Offset, claims)
	}
	if e := c.Electors; e != nil {
		fmt.Fprintf(&b, "x-electors %s %d %s %s %s\n", e.Cluster, e.Ver, dashID(e.Into), encodeMembers(e.Members), encodeMembers(e.Prev))
	}
	for _, ban := range c.Bans {
		fmt.Fprintf(&b, "x-ban %s %d\n", ban.ID, ban.Until)
	}
	fmt.Fprintf(&b, "vars currentEpoch %d lastVoteEpoch 0\nx-end\n", c.CurrentEpoch)
	return b.Bytes()
}

func encodeNode(b *bytes.Buffer, c *NodesConf, r *Record) {
	var flags []string
	if r.ID == c.Self {
		flags = append(flags, "myself")
	}
	if r.IsPrimary() {
		flags = append(flags, "master")
	} else {
		flags = append(flags, "slave")
	}
	for _, id := range c.Failed {
		if id == r.ID {
			flags = append(flags, "fail")
		}
	}
	if r.Flags&NoFailover != 0 {
		flags = append(flags, "nofailover")
	}
	host := ""
	if r.Hostname != "" {
		host = "," + r.Hostname
	}
	fmt.Fprintf(b, "%s %s:%d@%d%s %s %s 0 0 %d connected", r.ID, r.Addr.IP, r.Addr.Port, r.Addr.BusPort, host,
		strings.Join(flags, ","), dashID(r.Primary), r.ConfigEpoch)
	if r.Slots != nil && !r.Slots.Empty() {
		b.WriteString(" " + r.Slots.String())
	}
	if r.ID == c.Self {
		for _, o := range c.Migrating {
			fmt.Fprintf(b, " [%d->-%s]", o.Slot, o.Peer)
		}
		for _, o := range c.Importing {
			fmt.Fprintf(b, " [%d-<-%s]", o.Slot, o.Peer)
		}
	}
	b.WriteByte('\n')
}

func dashID(id ID) string {
	if id.IsZero() {
		return "-"
	}
	return id.String()
}

func encodeMembers(members []Member) string {
	if len(members) == 0 {
		return "-"
	}
	words := make([]string, len(members))
	for i, member := range members {
		words[i] = member.ID.String() + ":" + strconv.FormatUint(member.Inc, 10)
	}
	return strings.Join(words, ",")
}

// DecodeNodesConf reads nodes.conf. It refuses what it does not understand:
// a node that starts with half of its memory would be a danger to the others.
func DecodeNodesConf(text []byte) (*NodesConf, error) {
	d := confDecoder{conf: &NodesConf{}, records: map[ID]*Record{}, extra: map[ID]bool{}}
	for i, c := range text {
		if c < ' ' && c != '\n' {
			return nil, fmt.Errorf("cluster: nodes.conf has a control character at byte %d", i)
		}
	}
	lines := strings.Split(string(text), "\n")
	if format, is := strings.CutPrefix(lines[0], "x-format "); !is {
		return nil, errors.New("cluster: nodes.conf does not start with x-format: not written by this server")
	} else if format != "1" && format != strconv.Itoa(nodesConfFormat) {
		return nil, fmt.Errorf("cluster: nodes.conf has format %.20q, this server reads formats 1 to %d: start the version that wrote it", format, nodesConfFormat)
	}
	last := len(lines) - 1
	if lines[last] != "" {
		return nil, errors.New("cluster: nodes.conf is cut off in a line")
	}
	for i, line := range lines[1:last] {
		err := errors.New("text after x-end")
		if !d.ended {
			err = d.line(strings.Split(line, " "))
		}
		if err != nil {
			return nil, fmt.Errorf("cluster: nodes.conf line %d: %w", i+2, err)
		}
	}
	return d.finish()
}

type confDecoder struct {
	conf    *NodesConf
	records map[ID]*Record
	extra   map[ID]bool
	ended   bool
}

func (d *confDecoder) finish() (*NodesConf, error) {
	if !d.ended {
		return nil, errors.New("cluster: nodes.conf is cut off: no x-end")
	}
	if d.conf.Self.IsZero() {
		return nil, errors.New("cluster: nodes.conf has no line flagged myself")
	}
	for _, r := range d.conf.Records {
		if !d.extra[r.ID] {
			return nil, fmt.Errorf("cluster: nodes.conf has no x-node line for %s", r.ID)
		}
	}
	sort.SliceStable(d.conf.Records, func(i, j int) bool { return d.conf.Records[i].ID.Less(d.conf.Records[j].ID) })
	sort.SliceStable(d.conf.Bans, func(i, j int) bool { return d.conf.Bans[i].ID.Less(d.conf.Bans[j].ID) })
	sort.SliceStable(d.conf.Failed, func(i, j int) bool { return d.conf.Failed[i].Less(d.conf.Failed[j]) })
	return d.conf, nil
}

func (d *confDecoder) line(words []string) error {
	switch words[0] {
	case "x-generation":
		var p fields
		p.want(words, 2)
		d.conf.Generation = p.uint(1, 64)
		return p.err
	case "x-node":
		return d.extraNode(words)
	case "x-electors":
		return d.electors(words)
	case "x-ban":
		return d.ban(words)
	case "x-end":
		d.ended = true
		return nil
	case "vars":
		var p fields
		p.want(words, 5)
		d.conf.CurrentEpoch = p.uint(2, 64)
		return p.err
	}
	return d.node(words)
}

func (d *confDecoder) node(words []string) error {
	var p fields
	if len(words) < 8 {
		return errors.New("a node line has 8 words at least")
	}
	p.words = words
	r := &Record{ID: p.id(0), Primary: p.dashID(3), Slots: nil}
	if p.err == nil && d.records[r.ID] != nil {
		return errors.New("the same node twice")
	}
	p.addr(1, r)
	for _, flag := range strings.Split(words[2], ",") {
		switch flag {
		case "myself":
			if !d.conf.Self.IsZero() {
				return errors.New("a second node flagged myself")
			}
			d.conf.Self = r.ID
			d.openSlots(&p, words[8:])
		case "fail":
			d.conf.Failed = append(d.conf.Failed, r.ID)
		}
	}
	d.records[r.ID] = r
	d.conf.Records = append(d.conf.Records, r)
	return p.err
}

func (d *confDecoder) openSlots(p *fields, words []string) {
	for _, word := range words {
		if !strings.HasPrefix(word, "[") || !strings.HasSuffix(word, "]") {
			continue
		}
		word = word[1 : len(word)-1]
		list, sep := &d.conf.Migrating, "->-"
		if strings.Contains(word, "-<-") {
			list, sep = &d.conf.Importing, "-<-"
		}
		number, peer, _ := strings.Cut(word, sep)
		slot, err := strconv.ParseUint(number, 10, 16)
		id, err2 := ParseID(peer)
		if err != nil || err2 != nil || slot >= slots.Count {
			p.fail("open slot " + word)
			return
		}
		*list = append(*list, OpenSlot{slots.Slot(slot), id})
	}
}

func (d *confDecoder) extraNode(words []string) error {
	var p fields
	p.want(words, 12)
	if p.err != nil {
		return p.err
	}
	r := d.records[p.id(1)]
	if r == nil || d.extra[r.ID] {
		return errors.New("x-node without its node line")
	}
	d.extra[r.ID] = true
	r.Boot, r.Counter, r.Incarnation = p.uint(2, 64), p.uint(3, 64), p.uint(4, 64)
	r.Flags = Flags(p.uint(5, 16))
	r.Cluster, r.Shard, r.Term = p.id(6), p.id(7), p.uint(8, 64)
	r.ConfigEpoch, r.Offset = p.uint(9, 64), p.uint(10, 64)
	r.Slots = p.slots(11)
	if r.ID == d.conf.Self {
		d.conf.Boot = r.Boot
	}
	return p.err
}

func (d *confDecoder) electors(words []string) error {
	var p fields
	p.want(words, 6)
	if p.err != nil {
		return p.err
	}
	d.conf.Electors = &Electors{
		Cluster: p.id(1), Ver: p.uint(2, 64), Into: p.dashID(3),
		Members: p.members(4), Prev: p.members(5),
	}
	return p.err
}

func (d *confDecoder) ban(words []string) error {
	var p fields
	p.want(words, 3)
	if p.err != nil {
		return p.err
	}
	d.conf.Bans = append(d.conf.Bans, Ban{ID: p.id(1), Until: Time(p.uint(2, 63))})
	return p.err
}
