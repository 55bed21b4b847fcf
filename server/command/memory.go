package command

import (
	"fmt"
	"runtime/debug"

	"cobble/storage"
)

// memoryUsage estimates what a key holds in memory: its bytes and a fixed share of the tables.
func memoryUsage(c *Call, tx *storage.Tx) error {
	for i := 3; i < len(c.Args); i += 2 {
		if !equalFold(c.Args[i], "samples") || i+1 == len(c.Args) {
			return ErrSyntax
		}
		n, ok := storage.ParseInt(c.Args[i+1])
		if !ok {
			return ErrNotInteger
		}
		if n < 0 {
			return ErrSyntax
		}
	}
	entry, err := tx.Lookup(c.Args[2])
	switch {
	case err != nil:
		return err
	case !entry.Live:
		c.Out.Null()
	default:
		const rowOverhead = 48
		c.Out.Int(int64(len(entry.Key)) + int64(len(entry.Meta.Inline)) + int64(entry.Meta.Bytes) + rowOverhead*(1+int64(entry.Meta.Count)))
	}
	return nil
}

func memoryDoctor(c *Call) error {
	c.Out.Verbatim("txt", "No memory problem was detected.\n")
	return nil
}

func memoryMallocStats(c *Call) error {
	u := c.Env.Process.Usage()
	c.Out.Verbatim("txt", fmt.Sprintf("heap in use: %d bytes\nresident: %d bytes\n", u.Heap, u.RSS))
	return nil
}

func memoryPurge(c *Call) error {
	debug.FreeOSMemory()
	c.Out.OK()
	return nil
}

func memoryStats(c *Call) error {
	m := c.memory()
	ints := []memoryField{
		{"peak.allocated", m.peak}, {"total.allocated", m.used}, {"startup.allocated", 0}, {"replication.backlog", 0}, {"clients.slaves", 0},
		{"clients.normal", m.clients}, {"cluster.links", m.links}, {"aof.buffer", 0}, {"lua.caches", 0}, {"functions.caches", 0},
		{"overhead.total", m.overhead}, {"keys.count", m.keys}, {"keys.bytes-per-key", m.data / max(m.keys, 1)}, {"dataset.bytes", m.used - m.overhead},
	}
	for _, f := range m.fields() {
		ints = append(ints, memoryField{"cobble." + f.name, f.bytes})
	}
	c.Out.Map(len(ints) + 2)
	for _, f := range ints {
		c.Out.BulkString(f.name)
		c.Out.Int(f.bytes)
	}
	c.Out.BulkString("peak.percentage")
	c.Out.Double(100 * float64(m.used) / float64(max(m.peak, 1)))
	c.Out.BulkString("fragmentation")
	c.Out.Double(float64(m.RSS) / float64(max(m.used, 1)))
	return nil
}
