package wire

import (
	"math"

	"cobble/cluster"
	"cobble/slots"
)

// AppendChange appends the body of a record of the journal beside nodes.conf to
// out.
func AppendChange(out []byte, v *cluster.ConfChange) []byte {
	c := coder{out: append(out, Version, changeKind)}
	change(&c, v)
	return c.out
}

// DecodeChange reads one change that fills b; errors as Decode.
func DecodeChange(b []byte) (*cluster.ConfChange, error) {
	c, kind, err := open(b)
	if err != nil {
		return nil, err
	}
	if kind != changeKind {
		c.malformed("change of kind %d", kind)
	}
	v := new(cluster.ConfChange)
	change(c, v)
	if err := c.close(); err != nil {
		return nil, err
	}
	return v, nil
}

func change(c *coder, v *cluster.ConfChange) {
	id := func(c *coder, id *cluster.ID) { c.id(id) }
	c.id(&v.Self)
	c.uint(&v.Boot)
	c.uint(&v.CurrentEpoch)
	records(c, &v.Records)
	list(c, &v.Gone, MaxRecords, len(cluster.ID{}), id)
	list(c, &v.Migrating, slots.Count, sizeOpenSlot, openSlot)
	list(c, &v.Importing, slots.Count, sizeOpenSlot, openSlot)
	maybe(c, &v.Electors, electors)
	list(c, &v.Bans, MaxRecords, sizeBan, ban)
	list(c, &v.Failed, MaxRecords, len(cluster.ID{}), id)
}

func openSlot(c *coder, v *cluster.OpenSlot) {
	n := uint64(v.Slot)
	c.small(&n, slots.Count-1)
	if c.reading {
		v.Slot = slots.Slot(n)
	}
	c.id(&v.Peer)
}

func ban(c *coder, v *cluster.Ban) {
	c.id(&v.ID)
	until := uint64(v.Until)
	c.small(&until, math.MaxInt64)
	if c.reading {
		v.Until = cluster.Time(until)
	}
}
