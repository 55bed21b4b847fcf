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
	defer tx.Touch(tx.Touch(false))
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
	m, scripts := c.memory(), c.Env.scriptMemory()
	fields := []statField{
		{"peak.allocated", m.peak}, {"total.allocated", m.used}, {"startup.allocated", 0}, {"replication.backlog", 0}, {"clients.slaves", m.replicas},
		{"clients.normal", m.clients}, {"cluster.links", m.links}, {"aof.buffer", 0}, {"lua.caches", scripts.scriptBytes}, {"functions.caches", scripts.functionBytes},
	}
	if m.keys > 0 {
		fields = append(fields, statField{"db.0", []statField{{"overhead.hashtable.main", m.index}, {"overhead.hashtable.expires", 0}}})
	}
	allocated := m.Heap + m.rows
	fields = append(fields,
		statField{"overhead.total", m.overhead}, statField{"keys.count", m.keys}, statField{"keys.bytes-per-key", m.data / max(m.keys, 1)},
		statField{"dataset.bytes", m.used - m.overhead}, statField{"dataset.percentage", 100 * ratio(m.used-m.overhead, m.used)},
		statField{"peak.percentage", 100 * ratio(m.used, m.peak)},
		statField{"allocator.allocated", allocated}, statField{"allocator.active", allocated}, statField{"allocator.resident", m.RSS},
		statField{"allocator-fragmentation.ratio", 1.0}, statField{"allocator-fragmentation.bytes", 0},
		statField{"allocator-rss.ratio", ratio(m.RSS, allocated)}, statField{"allocator-rss.bytes", m.RSS - allocated},
		statField{"rss-overhead.ratio", 1.0}, statField{"rss-overhead.bytes", 0}, // what is resident is the allocator's
		statField{"fragmentation", ratio(m.RSS, m.used)}, statField{"fragmentation.bytes", m.RSS - m.used})
	for _, f := range m.fields() {
		fields = append(fields, statField{"cobble." + f.name, f.bytes})
	}
	c.writeStats(fields)
	return nil
}

// statField is an integer, a float64 or a map of fields.
type statField struct {
	name  string
	value any
}

func (c *Call) writeStats(fields []statField) {
	c.Out.Map(len(fields))
	for _, f := range fields {
		c.Out.BulkString(f.name)
		switch v := f.value.(type) {
		case int:
			c.Out.Int(int64(v))
		case int64:
			c.Out.Int(v)
		case float64:
			c.Out.Double(v)
		case []statField:
			c.writeStats(v)
		}
	}
}

func ratio(part, whole int64) float64 { return float64(part) / float64(max(whole, 1)) }
