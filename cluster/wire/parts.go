package wire

import (
	"cobble/cluster"
	"cobble/slots"
)

// The parts that messages are made of, each coded once for both directions.

func addr(c *coder, v *cluster.Addr) {
	c.text(&v.IP)
	c.port(&v.Port)
	c.port(&v.BusPort)
}

// Smallest sizes in bytes, to judge counts before making room.
const (
	sizeVersion  = 22
	sizeMember   = 21
	sizeRegister = 26
	sizeRecord   = 94
	sizeOpenSlot = 21
	sizeBan      = 21
)

func record(c *coder, v *cluster.Record) {
	c.id(&v.ID)
	c.uint(&v.Boot)
	c.uint(&v.Counter)
	c.uint(&v.Incarnation)
	addr(c, &v.Addr)
	c.text(&v.Hostname)
	flags := uint64(v.Flags)
	c.small(&flags, 65535)
	if c.reading {
		v.Flags = cluster.Flags(flags)
	}
	c.id(&v.Cluster)
	c.id(&v.Shard)
	c.id(&v.Primary)
	c.uint(&v.Term)
	c.uint(&v.ConfigEpoch)
	slotSet(c, &v.Slots)
	c.uint(&v.Offset)
}

func recordPointer(c *coder, v **cluster.Record) { must(c, v, record) }

func records(c *coder, v *[]*cluster.Record) { list(c, v, MaxRecords, sizeRecord, recordPointer) }

func version(c *coder, v *cluster.Version) {
	c.id(&v.ID)
	c.uint(&v.Boot)
	c.uint(&v.Counter)
}

func ballot(c *coder, v *cluster.Ballot) {
	c.uint(&v.Round)
	c.uint(&v.Inc)
}

func member(c *coder, v *cluster.Member) {
	c.id(&v.ID)
	c.uint(&v.Inc)
}

func members(c *coder, v *[]cluster.Member) { list(c, v, MaxMembers, sizeMember, member) }

func shardConfig(c *coder, v *cluster.ShardConfig) {
	c.id(&v.Shard)
	c.uint(&v.Ver)
	c.uint(&v.Term)
	c.uint(&v.Epoch)
	member(c, &v.Primary)
	members(c, &v.InSync)
	slotSet(c, &v.Slots)
}

func electors(c *coder, v *cluster.Electors) {
	c.id(&v.Cluster)
	c.uint(&v.Ver)
	members(c, &v.Members)
	members(c, &v.Prev)
	c.id(&v.Into)
}

func register(c *coder, v *cluster.Register) {
	c.id(&v.Key)
	ballot(c, &v.Promised)
	ballot(c, &v.Accepted)
	maybe(c, &v.Config, shardConfig)
	maybe(c, &v.Electors, electors)
}

func registers(c *coder, v *[]cluster.Register) { list(c, v, MaxRecords, sizeRegister, register) }

func domain(c *coder, v *cluster.Domain) {
	c.id(&v.Cluster)
	maybe(c, &v.Electors, electors)
	c.uint(&v.Complete)
	c.bool(&v.Carried)
	registers(c, &v.Registers)
}

func election(c *coder, v *cluster.Election) {
	c.id(&v.Primary)
	c.uint(&v.Term)
	c.bool(&v.Forced)
	c.uint(&v.Epoch)
	slotSet(c, &v.Slots)
}

// slotSet codes a set; an empty one is read as nil.
func slotSet(c *coder, v **slots.Set) {
	if !c.reading {
		writeSlots(c, *v)
		return
	}
	var form byte
	c.byte(&form)
	switch form {
	case slotsNone:
	case slotsRuns:
		*v = readRuns(c)
	case slotsBitmap:
		*v = readBitmap(c)
	default:
		c.malformed("slot set of form %d", form)
	}
}

func writeSlots(c *coder, s *slots.Set) {
	if s == nil || s.Empty() {
		c.out = append(c.out, slotsNone)
		return
	}
	runs := s.Ranges()
	if len(runs) > maxRuns {
		c.out = append(c.out, slotsBitmap)
		for _, w := range s {
			for i := range 8 {
				c.out = append(c.out, byte(w>>(8*i)))
			}
		}
		return
	}
	c.out = append(c.out, slotsRuns)
	number := func(n int) { u := uint64(n); c.uint(&u) }
	number(len(runs))
	next := 0
	for _, r := range runs {
		number(int(r.First) - next)
		number(int(r.Last) - int(r.First))
		next = int(r.Last) + 1
	}
}

func readRuns(c *coder) *slots.Set {
	var n uint64
	c.small(&n, maxRuns)
	if c.err == nil && n == 0 {
		c.malformed("a slot set without runs")
	}
	s := new(slots.Set)
	next := uint64(0)
	for i := uint64(0); i < n && c.err == nil; i++ {
		var gap, more uint64
		c.small(&gap, slots.Count)
		c.small(&more, slots.Count)
		first, last := next+gap, next+gap+more
		if last >= slots.Count || (i > 0 && gap == 0) {
			c.malformed("slots %d to %d after slot %d", first, last, next)
		}
		if c.err == nil {
			s.AddRange(slots.Range{First: slots.Slot(first), Last: slots.Slot(last)})
		}
		next = last + 1
	}
	return s
}

func readBitmap(c *coder) *slots.Set {
	s := new(slots.Set)
	b := c.take(8 * len(s))
	if b == nil {
		return nil
	}
	for i := range s {
		for j := range 8 {
			s[i] |= uint64(b[8*i+j]) << (8 * j)
		}
	}
	if len(s.Ranges()) <= maxRuns {
		c.malformed("a slot set in a longer form than it needs")
	}
	return s
}
